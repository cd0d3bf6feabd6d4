// The only door to HDF5: laying a file out, and reading how one is laid out. Tensor bytes never
// pass through HDF5, and HDF5 never touches the disk: it works on a SparseImage or on mapped bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "state/sparse_image.h"

namespace stagedtrain::state {

enum class ElementType { u8, f32, f64 };
constexpr std::uint64_t element_size(ElementType type) {
  return type == ElementType::u8 ? 1 : type == ElementType::f32 ? 4 : 8;
}
const char* element_name(ElementType type);

// Datasets of at least a page begin at a multiple of one, so that they can be mapped and read
// straight.
inline constexpr std::uint64_t kPageBytes = 4096;
constexpr bool begins_page(std::uint64_t bytes) { return bytes >= kPageBytes; }

// Datasets lie in the file by size: those that are worth a write of their own, others that begin a
// page, small ones. So a disk gets all that is not large in a few writes, and few pages are part
// empty.
enum class SizeClass { large, paged, small };
inline constexpr std::uint64_t kLargeBytes = 1 << 20;
constexpr SizeClass size_class(std::uint64_t bytes) {
  if (bytes >= kLargeBytes) return SizeClass::large;
  return begins_page(bytes) ? SizeClass::paged : SizeClass::small;
}

// One contiguous dataset. Its bytes lie at [offset, offset + bytes) of the file.
struct Dataset {
  std::string group;  // "" for the root
  std::string name;
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0, bytes = 0;
  std::vector<std::uint32_t> checksums;  // attribute "crc32c", one per MiB

  std::string path() const { return group.empty() ? name : group + "/" + name; }
};

// The bytes of a file with these datasets, before it is laid out; a few pages more or less.
std::uint64_t expected_file_bytes(std::span<const Dataset> datasets);

// A file being written: structure and attributes only, in memory. The large datasets can be written
// while it lays out the many small ones.
class Skeleton {
 public:
  // Begins a file with these datasets (group, name, type and shape are read; groups are made) and
  // gives the large ones their places: multiples of 4096. Space for the checksums is set aside, so
  // nothing moves later. The same arguments give the same bytes.
  Skeleton(const std::string& format, std::int64_t format_version, std::vector<Dataset> datasets);
  ~Skeleton();
  // The same for all others: multiples of 4096 from 4096 bytes on, of 8 below; class after class of
  // sizes, in the order given within one. Once.
  void lay_out_rest();
  // Without a place as yet: of no bytes.
  const std::vector<Dataset>& datasets() const { return datasets_; }
  // Once all is laid out.
  std::uint64_t file_bytes() const { return image_.size(); }
  void set_checksums(std::size_t dataset, std::vector<std::uint32_t> checksums);
  // Stores all checksums and returns what is to be written beside the datasets' own bytes.
  const SparseImage& finish();

 private:
  struct Open;
  std::vector<Dataset> datasets_;
  SparseImage image_;
  std::unique_ptr<Open> open_;  // until all is laid out
};

// How a file is laid out.
struct Structure {
  std::string format;
  std::int64_t format_version = 0;
  std::vector<Dataset> datasets;  // empty if the format or its version is not the one asked for
};
// Reads the structure of a whole file in memory; checks that each dataset is contiguous,
// uncompressed, of a known element type, inside the file and clear of the others, and has its
// checksums. Throws Error(input) that begins with where and names the dataset.
Structure read_structure(std::span<const std::byte> file, const std::string& where,
                         const std::string& format, std::int64_t newest_version);

}  // namespace stagedtrain::state
