// The table of token file formats: a new one is one file and one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/token_file.h"

namespace stagedtrain::data {

// How a format is told and read. bytes is the whole file (mapped), never empty.
struct TokenFormat {
  const char* name;
  const char* help;
  // Whether the file is meant to be of this format, by its first bytes or by what lies beside it;
  // it may still be damaged.
  bool (*recognises)(const Path& path, std::span<const std::byte> bytes);
  // What the file says of itself; format is filled in by the caller. Throws Error(input) if the
  // file is damaged, cut short or of an unknown version. On return first_byte + count *
  // bytes_per_token is at most bytes.size(), and count is at least 1.
  TokenFileInfo (*read)(const Path& path, std::span<const std::byte> bytes);
};

// In the order in which they are tried; the last recognises everything.
const std::vector<TokenFormat>& token_formats();

// stagedtrain.cc: this project's own (docs/token-format.md)
bool recognises_stagedtrain(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_stagedtrain(const Path& path, std::span<const std::byte> bytes);
// llmc.cc
bool recognises_llmc(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_llmc(const Path& path, std::span<const std::byte> bytes);
inline constexpr std::uint32_t kLlmcHeaderBytes = 256 * 4;
// Of a file with so many tokens of 2 or 4 bytes.
std::vector<std::byte> llmc_header(std::int32_t tokens, int bytes_per_token);
// megatron.cc: a .bin file with an index, .idx, beside it
bool recognises_megatron(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_megatron(const Path& path, std::span<const std::byte> bytes);
// foreign.cc: files of other kinds, which are refused by name. Always throws Error(input).
bool recognises_foreign(const Path& path, std::span<const std::byte> bytes);
[[noreturn]] TokenFileInfo refuse_foreign(const Path& path, std::span<const std::byte> bytes);
// raw.cc: no header at all
bool recognises_raw_uint32(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_raw_uint32(const Path& path, std::span<const std::byte> bytes);
bool recognises_raw_uint16(const Path& path, std::span<const std::byte> bytes);
TokenFileInfo read_raw_uint16(const Path& path, std::span<const std::byte> bytes);

}  // namespace stagedtrain::data
