// Computes CRC-32C, with the processor's instruction on three streams at once or with eight tables.
//
// One crc32 instruction has a latency of three cycles, but one can start every cycle, so a single
// chain of them reaches a third of the possible speed. Three adjacent blocks are therefore
// checksummed independently and combined afterwards. A checksum is linear over bits: the checksum
// of two adjacent blocks is that of the first, advanced over as many zero bytes as the second has,
// XOR that of the second. ZeroRun advances a checksum in that way.
#include "base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace stagedtrain {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // bit-reversed
using Table = std::array<std::uint32_t, 256>;

// kTables[k][b] is the effect of byte b followed by k zero bytes.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
  return tables;
}
constexpr std::array<Table, 8> kTables = make_tables();

std::uint64_t load_word(const std::byte* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

std::uint32_t add_byte(std::uint32_t crc, std::byte byte) {
  return (crc >> 8) ^ kTables[0][(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
}

std::uint32_t by_table(std::uint32_t crc, const std::byte* p, std::size_t size) {
  for (; size >= 8; p += 8, size -= 8) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint32_t byte =
          static_cast<std::uint32_t>(p[i]) ^ (i < 4 ? crc >> (8 * i) & 0xff : 0);
      next ^= kTables[7 - i][byte];
    }
    crc = next;
  }
  for (; size; ++p, --size) crc = add_byte(crc, *p);
  return crc;
}

#if defined(__x86_64__)

// Advances a checksum over a run of zero bytes, by four tables for its four bytes.
class ZeroRun {
 public:
  // The run is 2^doublings bytes long.
  explicit constexpr ZeroRun(int doublings) {
    std::array<std::uint32_t, 32> columns{};
    for (std::size_t bit = 0; bit < 32; ++bit) {
      const std::uint32_t crc = std::uint32_t{1} << bit;
      columns[bit] = (crc >> 8) ^ kTables[0][crc & 0xff];
    }
    for (int i = 0; i < doublings; ++i) {
      const auto once = columns;
      for (std::uint32_t& column : columns) column = times(once, column);
    }
    for (std::uint32_t byte = 0; byte < 256; ++byte)
      for (std::size_t place = 0; place < 4; ++place)
        tables_[place][byte] = times(columns, byte << (8 * place));
  }
  std::uint32_t after(std::uint32_t crc) const {
    return tables_[0][crc & 0xff] ^ tables_[1][crc >> 8 & 0xff] ^ tables_[2][crc >> 16 & 0xff] ^
           tables_[3][crc >> 24];
  }

 private:
  static constexpr std::uint32_t times(const std::array<std::uint32_t, 32>& columns,
                                       std::uint32_t vector) {
    std::uint32_t sum = 0;
    for (std::size_t bit = 0; vector; ++bit, vector >>= 1)
      if (vector & 1) sum ^= columns[bit];
    return sum;
  }
  std::array<Table, 4> tables_{};
};

// Checksums three adjacent blocks independently, and combines them.
template <std::size_t kBlock>
__attribute__((target("sse4.2"))) std::uint32_t three_blocks(std::uint32_t crc, const std::byte*& p,
                                                             std::size_t& size,
                                                             const ZeroRun& block) {
  for (; size >= 3 * kBlock; p += 3 * kBlock, size -= 3 * kBlock) {
    std::uint64_t first = crc, second = 0, third = 0;
    for (std::size_t i = 0; i < kBlock; i += 8) {
      first = _mm_crc32_u64(first, load_word(p + i));
      second = _mm_crc32_u64(second, load_word(p + kBlock + i));
      third = _mm_crc32_u64(third, load_word(p + 2 * kBlock + i));
    }
    crc = block.after(static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second);
    crc = block.after(crc) ^ static_cast<std::uint32_t>(third);
  }
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc,
                                                               const std::byte* p,
                                                               std::size_t size) {
  static const ZeroRun long_run(12), short_run(8);
  crc = three_blocks<4096>(crc, p, size, long_run);
  crc = three_blocks<256>(crc, p, size, short_run);
  std::uint64_t wide = crc;
  for (; size >= 8; p += 8, size -= 8) wide = _mm_crc32_u64(wide, load_word(p));
  crc = static_cast<std::uint32_t>(wide);
  for (; size; ++p, --size) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*p));
  return crc;
}

#endif

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before) {
  return ~by_table(~before, bytes.data(), bytes.size());
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2");
  if (fast) return ~by_instruction(~before, bytes.data(), bytes.size());
#endif
  return crc32c_portable(bytes, before);
}

}  // namespace stagedtrain
