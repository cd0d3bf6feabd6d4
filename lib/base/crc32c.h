// CRC-32C (Castagnoli; RFC 3720) is the checksum of every block of a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stagedtrain {

// Returns the checksum of `bytes`, continued from the checksum of the bytes before them (0 at the
// start). Uses the SSE4.2 instruction if the processor has it, and tables otherwise, with the same
// result.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);
// Does the same with the tables on every processor, which is slower.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace stagedtrain
