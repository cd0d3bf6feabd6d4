// What the reader of a checkpoint trusts: a header block at the start of the file, which has a
// checksum of its own and leads to the index, a table of all datasets with their places and
// checksums. docs/checkpoint-format.md describes both byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "state/layout.h"

namespace stagedtrain::state {

// A block of a dataset: its place, its checksum, and the dataset's path. All but the last block of
// a dataset have kBlockBytes; they follow each other in the index as in the file.
struct IndexRow {
  std::uint64_t offset, bytes;
  std::uint32_t crc32c;
  char dataset[76];  // padded with zeros, at least one
};
static_assert(sizeof(IndexRow) == 96);

struct HeaderBlock {
  unsigned char magic[16];
  std::uint32_t version;
  std::uint32_t index_crc32c;
  std::uint64_t file_bytes, index_offset, index_rows;
  std::byte zeros[kHeaderBytes - 52];
  std::uint32_t crc32c;  // of all bytes before
};
static_assert(sizeof(HeaderBlock) == kHeaderBytes);

// Rows for the structure and every dataset but the index, without checksums.
std::vector<IndexRow> index_rows(const Layout& layout);
// Puts the index and the header block that leads to it where they belong in the front of a file.
void write_index(const Layout& layout, std::span<const IndexRow> rows, std::span<std::byte> front);

// A dataset, or the structure, as the index of a file has it.
struct Extent {
  std::string path;
  std::uint64_t offset = 0, bytes = 0;
  std::span<const IndexRow> blocks;  // in the file
};
// Whatever the bytes are, returns extents that lie in the file, or throws Error(input) that begins
// with where. The extents are valid as long as the bytes.
std::vector<Extent> read_index(std::span<const std::byte> file, const std::string& where);

}  // namespace stagedtrain::state
