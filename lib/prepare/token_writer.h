// How is a token file written? It appears whole, or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/token_header.h"
#include "io/file.h"
#include "text/json_fwd.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::data {

// stagedtrain: this project's own format (docs/token-format.md), which records the tokenizer; 1
// byte per token up to 256 ids, 2 up to 65,536, otherwise 4. llmc: llm.c's format; 2 bytes up to
// 65,536 ids, otherwise 4. nanogpt: raw ids of 2 bytes.
enum class TokenLayout { stagedtrain, llmc, nanogpt };

class TokenWriter {
 public:
  // Throws Error(input) if the layout cannot hold the tokenizer's ids.
  TokenWriter(Path target, const Tokenizer& tokenizer, Replace replace = Replace::yes,
              TokenLayout layout = TokenLayout::stagedtrain);
  // Requires every id to be below the tokenizer's vocabulary. Throws Error(input) if the layout's
  // header cannot hold the token count.
  void append(std::span<const std::int32_t> ids);
  std::int64_t count() const { return static_cast<std::int64_t>(header_.count); }
  const Path& target() const { return target_; }
  int bytes_per_token() const { return static_cast<int>(header_.bytes_per_token); }
  // Returns the size of the file so far, in bytes.
  std::uint64_t file_bytes() const {
    return header_.header_bytes + header_.count * header_.bytes_per_token;
  }
  // Writes the remaining tokens and the header. Only this project's own layout stores metadata (at
  // most 4032 bytes as text), to which "tokenizer" is added. Requires count() > 0. commit() then
  // makes the file appear under its name.
  void finish(Json metadata);
  void commit() { file_.commit(); }

 private:
  void flush();
  std::vector<std::byte> header(Json metadata);
  Path target_;
  TokenLayout layout_;
  AtomicFile file_;
  OutputFile out_;
  TokenHeader header_;
  std::string tokenizer_name_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_;
};

}  // namespace stagedtrain::data
