// Checksums of blocks: one for each started MiB.
#include "state/blocks.h"

#include "base/crc32c.h"
#include "support/catch.h"

using namespace stagedtrain;
using state::kBlockBytes;

TEST_CASE("a block is counted for each started MiB") {
  CHECK(state::num_blocks(0) == 0);
  CHECK(state::num_blocks(1) == 1);
  CHECK(state::num_blocks(kBlockBytes) == 1);
  CHECK(state::num_blocks(kBlockBytes + 1) == 2);
  CHECK(state::num_blocks(~std::uint64_t{0}) == (std::uint64_t{1} << 44));
}

TEST_CASE("a block's checksum is the crc32c of its bytes alone") {
  std::vector<std::byte> bytes(2 * kBlockBytes + 5);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  const std::span<const std::byte> all(bytes);
  const auto checksums = state::block_checksums(all);
  REQUIRE(checksums.size() == 3);
  CHECK(checksums[0] == crc32c(all.first(kBlockBytes)));
  CHECK(checksums[2] == crc32c(all.last(5)));
  CHECK(state::first_bad_block(all, checksums) == -1);
  bytes.back() ^= std::byte{1};
  CHECK(state::first_bad_block(all, checksums) == 2);
  bytes[kBlockBytes] ^= std::byte{128};
  CHECK(state::first_bad_block(all, checksums) == 1);
}
