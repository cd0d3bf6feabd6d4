// Checksums against published values, and the fast way against the slow one.
#include "base/crc32c.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "support/catch.h"

using namespace stagedtrain;

namespace {

std::uint32_t crc_of(std::string_view text) { return crc32c(std::as_bytes(std::span(text))); }

std::vector<std::byte> noise(std::size_t size) {
  const CounterRng rng(7, 1);
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(rng.bits(i));
  return bytes;
}

}  // namespace

TEST_CASE("crc32c gives the published values") {
  CHECK(crc_of("") == 0);
  CHECK(crc_of("123456789") == 0xe3069283);  // the check value of the CRC catalogue
  // RFC 3720, appendix B.4
  std::vector<std::byte> bytes(32, std::byte{0});
  CHECK(crc32c(bytes) == 0x8a9136aa);
  std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  CHECK(crc32c(bytes) == 0x62a8ab43);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  CHECK(crc32c(bytes) == 0x46dd794e);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(31 - i);
  CHECK(crc32c(bytes) == 0x113fdb5c);
}

TEST_CASE("crc32c is the same by instruction and by table at every length and alignment") {
  const auto bytes = noise(40000);
  const std::span<const std::byte> all(bytes);
  for (std::size_t size :
       {0, 1, 7, 8, 9, 63, 767, 768, 769, 12287, 12288, 12289, 25000, 36864, 39990})
    for (std::size_t start : {0, 1, 3, 8})
      CHECK(crc32c(all.subspan(start, size)) == crc32c_portable(all.subspan(start, size)));
  for (std::size_t size = 0; size < 1600; ++size)
    REQUIRE(crc32c(all.first(size)) == crc32c_portable(all.first(size)));
}

TEST_CASE("crc32c of a whole is that of its parts, continued") {
  const auto bytes = noise(30000);
  const std::span<const std::byte> all(bytes);
  const std::uint32_t whole = crc32c(all);
  for (std::size_t cut : {0, 1, 4096, 12288, 29999, 30000}) {
    CHECK(crc32c(all.subspan(cut), crc32c(all.first(cut))) == whole);
    CHECK(crc32c_portable(all.subspan(cut), crc32c(all.first(cut))) == whole);
  }
}

TEST_CASE("crc32c sees every single flipped bit") {
  auto bytes = noise(800);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1 << bit % 8);
    bytes[bit / 8] ^= mask;
    REQUIRE(crc32c(bytes) != whole);
    bytes[bit / 8] ^= mask;
  }
}
