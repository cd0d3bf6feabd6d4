// Defines the two parts of a checkpoint that the reader trusts: the header block and the index.
//
// The header block is at the start of the file, has its own checksum and leads to the index. The
// index is a table of all datasets with their places and checksums. docs/checkpoint-format.md
// describes both byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"

namespace stagedtrain::state {

// One block of a dataset: its place, its checksum, and the dataset's path. All blocks of a dataset
// except the last have kBlockBytes bytes, and they have the same order in the index as in the file.
struct IndexRow {
  std::uint64_t offset, bytes;
  std::uint32_t crc32c;
  char dataset[76];  // padded with at least one zero
};
static_assert(sizeof(IndexRow) == 96);

struct HeaderBlock {
  unsigned char magic[16];
  std::uint32_t version;
  std::uint32_t index_crc32c;
  std::uint64_t file_bytes, index_offset, index_rows;
  std::byte zeros[kHeaderBytes - 52];
  std::uint32_t crc32c;  // checksum of all bytes before it
};
static_assert(sizeof(HeaderBlock) == kHeaderBytes);

// Returns rows, without checksums, for the structure and for every dataset except the index.
std::vector<IndexRow> index_rows(const Layout& layout);
// Writes the index, and the header block that leads to it, into the front of a file.
void write_index(const Layout& layout, std::span<const IndexRow> rows, std::span<std::byte> front);

// A dataset, or the structure, as the index describes it.
struct Extent {
  std::string path;
  std::uint64_t offset = 0, bytes = 0;
  std::span<const IndexRow> blocks;  // in the file
};
// Returns extents that lie inside the file, or throws Error(input) whose message begins with
// `where`, whatever the bytes are. The extents are valid as long as the bytes are.
std::vector<Extent> read_index(std::span<const std::byte> file, const std::string& where);

}  // namespace stagedtrain::state
