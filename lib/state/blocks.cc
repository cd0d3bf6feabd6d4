// Block after block through crc32c.
#include "state/blocks.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/parallel.h"

namespace stagedtrain::state {
namespace {

// Blocks that a thread takes at a time: about a millisecond.
constexpr std::int64_t kAtOnce = 16;

}  // namespace

std::uint32_t block_checksum(std::span<const std::byte> bytes, std::uint64_t index) {
  const std::uint64_t start = index * kBlockBytes;
  return crc32c(bytes.subspan(start, std::min<std::uint64_t>(kBlockBytes, bytes.size() - start)));
}

std::vector<std::uint32_t> block_checksums(std::span<const std::byte> bytes) {
  std::vector<std::uint32_t> checksums(num_blocks(bytes.size()));
  in_parallel(static_cast<std::int64_t>(checksums.size()), kAtOnce,
              [&](std::int64_t begin, std::int64_t end) {
                for (auto i = static_cast<std::uint64_t>(begin);
                     i < static_cast<std::uint64_t>(end); ++i)
                  checksums[i] = block_checksum(bytes, i);
              });
  return checksums;
}

std::int64_t first_bad_block(std::span<const std::byte> bytes,
                             std::span<const std::uint32_t> checksums) {
  ST_CHECK(checksums.size() == num_blocks(bytes.size()), "{} checksums for {} bytes",
           checksums.size(), bytes.size());
  const std::vector<std::uint32_t> found = block_checksums(bytes);
  const auto bad = std::mismatch(found.begin(), found.end(), checksums.begin()).first;
  return bad == found.end() ? -1 : bad - found.begin();
}

}  // namespace stagedtrain::state
