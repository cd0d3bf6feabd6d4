// Writes and reads a checkpoint's header block and index, which locate and protect everything else.
//
// Goal: the reader must be safe for any bytes, including a file that was made to attack it. It
// trusts only what it has checked, in this order: the magic bytes, the header block's own checksum,
// the version, the file's size, the place of the index, the index' checksum, and then each row.
//
// Invariant: every offset and size is compared with the size of the file before it is used, in a
// form that cannot overflow (`row.bytes <= file_bytes - row.offset`). After read_index, every
// extent lies inside the file, and the blocks of an extent are contiguous.
//
// Rejected: checksums as HDF5 attributes of each dataset, as in format 1. HDF5's structure then had
// to be read before anything was verified, at 50 us a dataset.
#include "checkpoint/checkpoint_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/crc32c.h"
#include "checkpoint/checkpoint.h"
#include "text/text.h"

namespace stagedtrain::state {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are stored as they are");

constexpr unsigned char kMagic[16] = {0x89, 's', 't', 'a', 'g', 'e',  'd',  '-',
                                      's',  't', 'a', 't', 'e', '\r', '\n', 0x1a};
constexpr unsigned char kHdf5Signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
// An upper bound of the datasets of a file, so that a hostile file cannot take too much memory.
constexpr std::size_t kMostDatasets = 1 << 22;

constexpr const char* kCopyAgain = "copy the file again, or use an older checkpoint";
constexpr const char* kOldFormat =
    "formats 1 and 2 were used before the first release; train or grow the model again";
constexpr const char* kWhatItIs = "a checkpoint is a .h5 file written by stagedtrain train or grow";

template <std::size_t kSize>
bool begins_with(std::span<const std::byte> file, const unsigned char (&bytes)[kSize]) {
  return file.size() >= kSize && std::memcmp(file.data(), bytes, kSize) == 0;
}

std::uint32_t header_checksum(const HeaderBlock& header) {
  return crc32c(std::as_bytes(std::span(&header, 1)).first(kHeaderBytes - sizeof header.crc32c));
}

void add_rows(std::vector<IndexRow>& rows, const std::string& path, std::uint64_t offset,
              std::uint64_t bytes) {
  for (std::uint64_t start = 0; start < bytes; start += kBlockBytes) {
    IndexRow row{offset + start, std::min(kBlockBytes, bytes - start), 0, {}};
    ST_CHECK(path.size() < sizeof row.dataset, "the path {} is too long for the index", path);
    std::copy(path.begin(), path.end(), row.dataset);
    rows.push_back(row);
  }
}

// ---- Reading

// Returns the error for a file that does not begin with kMagic.
Error foreign(std::span<const std::byte> file, const std::string& where) {
  if (file.empty()) return input_error("{}: is empty", where).with_hint(kCopyAgain);
  if (!begins_with(file, kHdf5Signature))
    return input_error("{}: is not a checkpoint (it does not begin like one)", where)
        .with_hint(kWhatItIs);
  // A file of format 1 has its name in its first object.
  const auto beginning = file.first(std::min<std::size_t>(file.size(), 64 << 10));
  const std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
  if (text.find(kFormatName) == std::string_view::npos)
    return input_error("{}: is an HDF5 file, but not a checkpoint of stagedtrain", where)
        .with_hint(kWhatItIs);
  return input_error(
             "{}: is a checkpoint of format 1, or was rewritten by another program; expected "
             "format {} as stagedtrain writes it",
             where, kFormatVersion)
      .with_hint(kOldFormat);
}

HeaderBlock read_header(std::span<const std::byte> file, const std::string& where) {
  if (!begins_with(file, kMagic)) throw foreign(file, where);
  if (file.size() < kHeaderBytes)
    throw input_error("{}: cut short: has {} bytes, expected at least {}", where, file.size(),
                      kHeaderBytes)
        .with_hint(kCopyAgain);
  HeaderBlock header;
  std::memcpy(&header, file.data(), sizeof header);
  if (header.crc32c != header_checksum(header))
    throw input_error("{}: its header block is damaged: its checksum does not match", where)
        .with_hint(kCopyAgain);
  if (header.version > kFormatVersion)
    throw input_error("{}: written by a newer stagedtrain (format {}, this one reads up to {})",
                      where, header.version, kFormatVersion)
        .with_hint("update stagedtrain");
  if (header.version < kFormatVersion)
    throw input_error("{}: found format {}, expected {}", where, header.version, kFormatVersion)
        .with_hint(kOldFormat);
  if (header.file_bytes != file.size())
    throw input_error("{}: {}: has {} bytes, expected {}", where,
                      file.size() < header.file_bytes ? "cut short" : "too long", file.size(),
                      header.file_bytes)
        .with_hint(kCopyAgain);
  return header;
}

std::span<const IndexRow> find_index(std::span<const std::byte> file, const HeaderBlock& header,
                                     const std::string& where) {
  const bool inside = header.index_offset <= file.size() &&
                      header.index_offset % alignof(IndexRow) == 0 &&
                      header.index_rows <= (file.size() - header.index_offset) / sizeof(IndexRow);
  if (!inside)
    throw input_error("{}: its index ({} rows at byte {}) does not lie in the file", where,
                      header.index_rows, header.index_offset);
  const auto bytes = file.subspan(header.index_offset, header.index_rows * sizeof(IndexRow));
  if (crc32c(bytes) != header.index_crc32c)
    throw input_error("{}: its index (at byte {}) is damaged: its checksum does not match", where,
                      header.index_offset)
        .with_hint(kCopyAgain);
  return {reinterpret_cast<const IndexRow*>(bytes.data()), header.index_rows};
}

bool lies_inside(const IndexRow& row, std::uint64_t file_bytes) {
  return row.bytes > 0 && row.bytes <= kBlockBytes && row.offset >= kHeaderBytes &&
         row.offset <= file_bytes && row.bytes <= file_bytes - row.offset;
}

bool follows(const IndexRow& row, const Extent& extent) {
  return extent.bytes % kBlockBytes == 0 && row.offset == extent.offset + extent.bytes;
}

}  // namespace

std::vector<IndexRow> index_rows(const Layout& layout) {
  std::vector<IndexRow> rows;
  add_rows(rows, kStructure, kHeaderBytes, layout.structure_bytes);
  for (const Dataset& dataset : layout.datasets)
    if (dataset.type != ElementType::index_row)
      add_rows(rows, dataset.path(), dataset.offset, dataset.bytes);
  return rows;
}

void write_index(const Layout& layout, std::span<const IndexRow> rows, std::span<std::byte> front) {
  const Dataset& index = layout.datasets.back();
  const auto bytes = std::as_bytes(rows);
  ST_CHECK(bytes.size() == index.bytes, "an index of {} bytes in {}", bytes.size(), index.bytes);
  std::ranges::copy(bytes, front.begin() + static_cast<std::ptrdiff_t>(index.offset));
  HeaderBlock header{};
  std::ranges::copy(kMagic, header.magic);
  header.version = kFormatVersion;
  header.index_crc32c = crc32c(bytes);
  header.file_bytes = layout.file_bytes;
  header.index_offset = index.offset;
  header.index_rows = rows.size();
  header.crc32c = header_checksum(header);
  std::memcpy(front.data(), &header, sizeof header);
}

std::vector<Extent> read_index(std::span<const std::byte> file, const std::string& where) {
  const std::span<const IndexRow> rows = find_index(file, read_header(file, where), where);
  std::vector<Extent> extents;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const IndexRow& row = rows[i];
    const std::string_view path(row.dataset, ::strnlen(row.dataset, sizeof row.dataset));
    const bool continued = !extents.empty() && extents.back().path == path;
    if (!lies_inside(row, file.size()) || (continued && !follows(row, extents.back())))
      throw input_error("{}: row {} of its index ({} bytes at byte {}) is not valid", where, i,
                        row.bytes, row.offset);
    if (!continued) extents.push_back({std::string(path), row.offset, 0, rows.subspan(i, 0)});
    if (extents.size() > kMostDatasets)
      throw input_error("{}: has more than {} datasets", where, kMostDatasets);
    Extent& extent = extents.back();
    extent.bytes += row.bytes;
    extent.blocks = {extent.blocks.data(), extent.blocks.size() + 1};
  }
  return extents;
}

}  // namespace stagedtrain::state
