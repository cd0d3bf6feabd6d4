// The header of this project's token files, field by field (docs/token-format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace stagedtrain::data {

inline constexpr std::uint32_t kTokenFileVersion = 1;

// What a header holds. metadata is JSON text; tokenizer a serialized SentencePiece model, or empty
// where the tokenizer is "bytes" (metadata names which).
struct TokenHeader {
  std::uint32_t header_bytes = 0;  // where the tokens start, a multiple of 4096
  std::uint64_t count = 0;         // tokens
  std::uint32_t bytes_per_token = 1;
  std::uint32_t vocab = 0;
  std::uint32_t tokens_crc = 0;  // crc32c of all token bytes
  std::string metadata, tokenizer;
};

// Bytes to keep for a header with a tokenizer of this size and up to max_metadata bytes of JSON.
std::uint32_t header_room(std::size_t tokenizer_bytes, std::size_t max_metadata = 4032);
// Exactly header.header_bytes bytes, checksum included. Requires that everything fits.
std::vector<std::byte> pack_header(const TokenHeader& header);
// Throws Error(input) unless every field and the checksum are right and file is as long as
// promised.
TokenHeader unpack_header(const Path& path, std::span<const std::byte> file);
// Whether the file starts as ours do, or nearly so (a damaged magic is a damaged file, not another
// format).
bool looks_like_header(std::span<const std::byte> file);

}  // namespace stagedtrain::data
