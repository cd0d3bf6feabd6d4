// A file of token ids, whatever its format, seen as one long row.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/file.h"
#include "data/file_identity.h"

namespace stagedtrain::data {

// What a file says of itself. Raw formats know only their count and width.
struct TokenFileInfo {
  std::string format;       // a name of token_formats(): "stagedtrain", "llm.c", "raw uint16", ...
  std::int64_t count = 0;   // tokens
  int bytes_per_token = 2;  // 1, 2 or 4, unsigned little endian
  std::uint64_t first_byte = 0;     // where the tokens start
  std::int64_t vocab = 0;           // of the tokenizer; 0 if unknown
  double text_bytes_per_token = 0;  // of the source text; 0 if unknown (bits per byte need it)
  std::string tokenizer;            // "bytes", a serialized SentencePiece model, or "" if unknown
  std::optional<std::uint32_t> tokens_crc =
      {};  // crc32c of all token bytes, where the format has one
  // Whether the text comes back from the tokens letter by letter. Where it does not (most
  // SentencePiece models fold spaces and rewrite letters), bits per byte count bytes that the model
  // never saw. Nothing if the file does not say.
  std::optional<bool> lossless = {};
  std::int64_t documents = 0;  // 0 if unknown
  std::string note = {};       // what a file with little or no header was taken for, and why
  std::string warning = {};    // why it may not be a token file at all
};

// Read-only; may be read by several threads. Throws Error(input) for a file that is missing, empty,
// cut short, of odd length, of an unknown version. Tokens are read by system calls, not through a
// mapping: a run of days must end with its state saved, not by SIGBUS, if somebody shortens the
// file meanwhile (as `cp` does before it writes a file anew).
class TokenFile {
 public:
  explicit TokenFile(const Path& path);
  const Path& path() const { return path_; }
  const TokenFileInfo& info() const { return info_; }
  std::int64_t count() const { return info_.count; }
  // Copies tokens [first, first + out.size()) and checks that each is below vocab; throws
  // Error(input) with the position and the id otherwise. Requires the range to lie in the file.
  void read(std::int64_t first, std::span<std::int32_t> out, std::int64_t vocab) const;
  // Checks every token of the file against vocab, and the tokens' checksum where the format has one
  // (files up to max_bytes; larger ones are checked against vocab as they are read). Throws as read
  // does.
  void check_vocab(std::int64_t vocab, std::uint64_t max_bytes = std::uint64_t{1} << 30) const;
  // A cheap identity: crc32c over size, header and 64 pages spread over the file.
  std::uint32_t fingerprint() const;
  // Whether path() still names the file that was opened, and nobody has written to it since. Costs
  // one system call.
  bool same_file_on_disk() const { return identity_ && file_identity(path_) == identity_; }
  // For a program that has read from this file and goes on: throws Error(input) unless path() holds
  // what it held when fingerprint() gave this value. Reads the file again only if it is no longer
  // the same file on disk; a copy with the same content passes.
  void check_unchanged(std::uint32_t fingerprint) const;

 private:
  std::uint64_t bytes_of_tokens() const { return file_bytes_ - info_.first_byte; }
  // Of bytes of the file, continued from `before`.
  std::uint32_t checksum(std::uint64_t offset, std::uint64_t size, std::uint32_t before) const;
  Path path_;
  std::optional<FileIdentity> identity_;  // asked for before the file is opened
  InputFile file_;
  std::uint64_t file_bytes_;  // when it was opened
  TokenFileInfo info_;
};

}  // namespace stagedtrain::data
