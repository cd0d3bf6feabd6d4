// Names of datasets and the superblock of HDF5 (file format specification 3.0, section II.A).
#include "state/layout.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace stagedtrain::state {
namespace {

constexpr unsigned char kSignature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kSuperblockBytes = 48;
constexpr std::uint64_t kUndefined = ~std::uint64_t{0};

std::uint64_t number_at(std::span<const std::byte> file, std::size_t offset) {
  std::uint64_t number;
  std::memcpy(&number, file.data() + offset, sizeof number);
  return number;
}

std::string bytes_text(std::uint64_t bytes) { return grouped(static_cast<std::int64_t>(bytes)); }

}  // namespace

std::vector<Dataset> tensor_datasets(const arch::ParamTable& table, DType dtype) {
  std::vector<Dataset> datasets;
  for (const Kind kind : kKinds)
    for (const arch::ParamSpec& spec : table)
      datasets.push_back({kind_name(kind), spec.name, element_of(dtype), spec.shape()});
  return datasets;
}

void check_superblock(std::span<const std::byte> file, const std::string& where) {
  const char* copy = "copy the file again, or use an older checkpoint";
  const std::size_t signature = std::min(file.size(), sizeof kSignature);
  if (file.empty()) throw input_error("{}: is empty", where).with_hint(copy);
  if (std::memcmp(file.data(), kSignature, signature) != 0)
    throw input_error("{}: is not a checkpoint (it does not begin as an HDF5 file does)", where)
        .with_hint("a checkpoint is a .h5 file written by stagedtrain train or grow");
  if (file.size() < kSuperblockBytes)
    throw input_error("{}: cut short: has {} bytes, expected at least {}", where, file.size(),
                      kSuperblockBytes)
        .with_hint(copy);
  const int version = static_cast<int>(file[8]);
  if (version < 2)
    throw input_error("{}: has an HDF5 superblock of version {}, expected 2 or 3", where, version)
        .with_hint(
            "that format has no checksums and is not read; "
            "h5repack --low=2 rewrites such a file, stagedtrain never writes one");
  if (version > 3)
    throw input_error("{}: has an HDF5 superblock of version {}, expected 2 or 3", where, version);
  if (file[9] != std::byte{8} || file[10] != std::byte{8} || number_at(file, 12) != 0 ||
      number_at(file, 20) != kUndefined)
    throw input_error("{}: its superblock is not one that stagedtrain writes", where)
        .with_hint(copy);
  const std::uint64_t end = number_at(file, 28);
  if (end > file.size())
    throw input_error("{}: cut short: has {} bytes, expected {}", where, bytes_text(file.size()),
                      bytes_text(end))
        .with_hint(copy);
}

}  // namespace stagedtrain::state
