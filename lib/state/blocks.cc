// Block after block through crc32c.
#include "state/blocks.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/error.h"

namespace stagedtrain::state {
namespace {

std::span<const std::byte> block(std::span<const std::byte> bytes, std::uint64_t index) {
  const std::uint64_t start = index * kBlockBytes;
  return bytes.subspan(start, std::min<std::uint64_t>(kBlockBytes, bytes.size() - start));
}

}  // namespace

std::vector<std::uint32_t> block_checksums(std::span<const std::byte> bytes) {
  std::vector<std::uint32_t> checksums(num_blocks(bytes.size()));
  for (std::uint64_t i = 0; i < checksums.size(); ++i) checksums[i] = crc32c(block(bytes, i));
  return checksums;
}

std::int64_t first_bad_block(std::span<const std::byte> bytes,
                             std::span<const std::uint32_t> checksums) {
  ST_CHECK(checksums.size() == num_blocks(bytes.size()), "{} checksums for {} bytes",
           checksums.size(), bytes.size());
  for (std::uint64_t i = 0; i < checksums.size(); ++i)
    if (crc32c(block(bytes, i)) != checksums[i]) return static_cast<std::int64_t>(i);
  return -1;
}

}  // namespace stagedtrain::state
