// gzip and zstd files, read as a stream.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace stagedtrain::data {

enum class Compression { none, gzip, zstd };

// Told by the first bytes, whatever the file is called.
Compression compression_of(std::span<const std::byte> file);

// Hands the content over piece by piece, in memory that does not depend on its length. Several
// members (gzip) or frames (zstd) that follow one another are one content. done is told how many
// compressed bytes have been read so far. Requires that the compression is not none. Throws
// Error(input), beginning with where, if the data is damaged or cut short.
void decompress(std::span<const std::byte> file, const std::string& where,
                const std::function<void(std::string_view)>& use,
                const std::function<void(std::size_t)>& done);

}  // namespace stagedtrain::data
