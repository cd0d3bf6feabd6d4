// Which token file formats can be read? A new format is one .cc file and one line in the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/token_file.h"

namespace stagedtrain::data {

// How a format is recognised and read. `bytes` is the whole mapped file and is never empty.
struct TokenFormat {
  const char* name;
  const char* help;
  // Returns whether the file claims to be of this format, by its first bytes or by a file beside
  // it. The file may still be damaged.
  bool (*recognises)(const Path& path, std::span<const std::byte> bytes);
  // Returns what the header says, except `format`, which the caller fills in. Throws Error(input)
  // if the file is damaged, truncated or of an unknown version. On return, first_byte + count *
  // bytes_per_token <= bytes.size() and count >= 1.
  TokenFileInfo (*read)(const Path& path, std::span<const std::byte> bytes);
};

// The formats in the order in which they are tried. The last one recognises every file.
const std::vector<TokenFormat>& token_formats();

// stagedtrain.cc: this project's own format (docs/token-format.md)
bool recognises_stagedtrain(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_stagedtrain(const Path& path, std::span<const std::byte> bytes);
// llmc.cc
bool recognises_llmc(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_llmc(const Path& path, std::span<const std::byte> bytes);
inline constexpr std::uint32_t kLlmcHeaderBytes = 256 * 4;
// Returns the header of a file with this many tokens of 2 or 4 bytes each.
std::vector<std::byte> llmc_header(std::int32_t tokens, int bytes_per_token);
// megatron.cc: a .bin file with its index (.idx) beside it
bool recognises_megatron(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_megatron(const Path& path, std::span<const std::byte> bytes);
// foreign.cc: other kinds of files. refuse_foreign always throws Error(input), naming the kind.
bool recognises_foreign(const Path& path, std::span<const std::byte> bytes);
[[noreturn]] TokenFileInfo refuse_foreign(const Path& path, std::span<const std::byte> bytes);
// raw.cc: files without a header
bool recognises_raw_uint32(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_raw_uint32(const Path& path, std::span<const std::byte> bytes);
bool recognises_raw_uint16(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_raw_uint16(const Path& path, std::span<const std::byte> bytes);

}  // namespace stagedtrain::data
