// How are gzip and zstd files read? As a stream, in constant memory.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace stagedtrain::data {

enum class Compression { none, gzip, zstd };

// Detects the compression by the first bytes; the file's name does not matter.
Compression compression_of(std::span<const std::byte> file);

// Calls use(piece) for the decompressed content, piece by piece, in memory that does not depend on
// its length. Consecutive members (gzip) or frames (zstd) are concatenated. Calls done(bytes) with
// the number of compressed bytes read so far. Requires compression_of(file) != none. Throws
// Error(input), with a message that starts with `where`, if the data is damaged or truncated.
void decompress(std::span<const std::byte> file, const std::string& where,
                const std::function<void(std::string_view)>& use,
                const std::function<void(std::size_t)>& done);

}  // namespace stagedtrain::data
