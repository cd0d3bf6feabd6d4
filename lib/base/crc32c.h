// CRC-32C (Castagnoli), the checksum of every block of a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stagedtrain {

// The checksum of bytes, continued from that of the bytes before them (0 at the start). Uses SSE4.2
// in three interleaved streams where the processor has it, a table otherwise; the same value.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);
// The table's way, whatever the processor: the same value, slower.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace stagedtrain
