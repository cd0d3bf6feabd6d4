// Checksums of stored bytes, one crc32c per MiB, so that damage is found and its place named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::state {

inline constexpr std::uint64_t kBlockBytes = 1 << 20;

constexpr std::uint64_t num_blocks(std::uint64_t bytes) {
  return bytes / kBlockBytes + (bytes % kBlockBytes != 0);
}
// One value for each started block; all cores.
std::vector<std::uint32_t> block_checksums(std::span<const std::byte> bytes);
// The checksum of block `index` of these bytes.
std::uint32_t block_checksum(std::span<const std::byte> bytes, std::uint64_t index);
// The first block whose checksum is not the one given, or -1. Requires num_blocks(bytes.size())
// checksums; all cores.
std::int64_t first_bad_block(std::span<const std::byte> bytes,
                             std::span<const std::uint32_t> checksums);

}  // namespace stagedtrain::state
