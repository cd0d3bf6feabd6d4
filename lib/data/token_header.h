// What does the header of this project's token files hold, field by field (docs/token-format.md)?
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"

namespace stagedtrain::data {

inline constexpr std::uint32_t kTokenFileVersion = 1;

// The fields of a header. metadata is JSON text. tokenizer is a spec for Tokenizer::from_spec, or
// empty if the tokenizer is "bytes"; metadata names the kind of tokenizer.
struct TokenHeader {
  std::uint32_t header_bytes = 0;  // offset of the first token, a multiple of 4096
  std::uint64_t count = 0;         // tokens
  std::uint32_t bytes_per_token = 1;
  std::uint32_t vocab = 0;
  std::uint32_t tokens_crc = 0;  // crc32c of all token bytes
  std::string metadata, tokenizer;
};

// Returns the number of bytes to reserve for a header with a tokenizer of this size and up to
// max_metadata bytes of JSON.
std::uint32_t reserved_header_bytes(std::size_t tokenizer_bytes, std::size_t max_metadata = 4032);
// Returns header.header_bytes bytes, checksum included. Requires that all fields fit.
std::vector<std::byte> pack_header(const TokenHeader& header);
// Throws Error(input) unless every field and the checksum are valid and the file has the length
// that the header states.
TokenHeader unpack_header(const Path& path, std::span<const std::byte> file);
// Returns whether at least half of the magic bytes match. A file with a damaged magic is reported
// as damaged, not read as another format.
bool looks_like_header(std::span<const std::byte> file);

}  // namespace stagedtrain::data
