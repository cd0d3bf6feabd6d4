// How is a file of token ids, in any format, read as one long sequence?
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "data/file_identity.h"
#include "io/file.h"

namespace stagedtrain::data {

// What a file says about itself. Raw formats know only their token count and width.
struct TokenFileInfo {
  std::string format;       // a name of token_formats(): "stagedtrain", "llm.c", "raw uint16", ...
  std::int64_t count = 0;   // tokens
  int bytes_per_token = 2;  // 1, 2 or 4, unsigned little endian
  std::uint64_t first_byte = 0;  // offset of the first token in the file
  std::int64_t vocab = 0;        // the tokenizer's vocabulary size; 0 if unknown
  // Bytes of source text per token, which bits per byte need; 0 if unknown.
  double text_bytes_per_token = 0;
  std::string tokenizer;  // a spec for Tokenizer::from_spec; "" if unknown
  // crc32c of all token bytes, if the format stores one.
  std::optional<std::uint32_t> tokens_crc = {};
  // Whether decoding the tokens gives back the text, byte for byte. If not (most SentencePiece
  // models fold spaces and rewrite letters), bits per byte count bytes that the model never saw.
  // Empty if the file does not say.
  std::optional<bool> lossless = {};
  std::int64_t documents = 0;  // 0 if unknown
  std::string note = {};       // what a file with little or no header was taken for, and why
  std::string warning = {};    // why the file may not be a token file
};

// Read-only and thread-safe. Throws Error(input) for a file that is missing, empty, truncated, of
// odd length or of an unknown version. Tokens are read with system calls, not through a mapping,
// because somebody may truncate the file during a run (`cp` does so before it rewrites a file). A
// run must then save its state and exit, which it could not do after a SIGBUS.
class TokenFile {
 public:
  explicit TokenFile(const Path& path);
  const Path& path() const { return path_; }
  const TokenFileInfo& info() const { return info_; }
  std::int64_t count() const { return info_.count; }
  // Copies tokens [first, first + out.size()) to out. Throws Error(input), with the position and
  // the id, if one of them is not below vocab. Requires the range to lie within the file.
  void read(std::int64_t first, std::span<std::int32_t> out, std::int64_t vocab) const;
  // Checks every token of the file against vocab, and the token checksum if the format stores one.
  // Skips files with more than max_bytes of tokens, which are then checked only as they are read.
  // Throws as read() does.
  void check_vocab(std::int64_t vocab, std::uint64_t max_bytes = std::uint64_t{1} << 30) const;
  // Returns a cheap fingerprint: the crc32c of the size, the header and 64 pages spread over the
  // tokens.
  std::uint32_t fingerprint() const;
  // Returns whether path() still names the file that was opened and nobody has written to it since.
  // Costs one system call.
  bool same_file_on_disk() const { return identity_ && file_identity(path_) == identity_; }
  // Throws Error(input) if path() no longer holds the content that gave this fingerprint. For a
  // program that has read from this file and continues. Reads the file again only if it is no
  // longer the same file on disk, so a copy with the same content passes.
  void check_unchanged(std::uint32_t fingerprint) const;

 private:
  std::uint64_t bytes_of_tokens() const { return file_bytes_ - info_.first_byte; }
  // Returns the crc32c of bytes [offset, offset + size) of the file, continued from `before`.
  std::uint32_t checksum(std::uint64_t offset, std::uint64_t size, std::uint32_t before) const;
  Path path_;
  std::optional<FileIdentity> identity_;  // read before the file is opened
  InputFile file_;
  std::uint64_t file_bytes_;  // size when the file was opened
  TokenFileInfo info_;
};

}  // namespace stagedtrain::data
