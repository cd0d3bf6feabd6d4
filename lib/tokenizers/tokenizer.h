// How does text become token ids, and ids text? By bytes, byte-level BPE, or SentencePiece.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stagedtrain::data {

// Immutable and thread-safe.
class Tokenizer {
 public:
  // spec is what token files and checkpoints carry: "bytes", the text of a tokenizer.json, or a
  // serialized SentencePiece model. `where` names its origin in errors. Throws Error(input) if spec
  // is none of these.
  static std::unique_ptr<const Tokenizer> from_spec(const std::string& spec,
                                                    const std::string& where);

  virtual ~Tokenizer() = default;
  virtual std::string name() const = 0;  // "bytes", "BPE", "SentencePiece"
  virtual const std::string& spec() const = 0;
  virtual std::int64_t vocab() const = 0;  // all ids are below it
  // Returns whether encode() requires UTF-8.
  virtual bool needs_utf8() const = 0;
  // Requires well-formed UTF-8 if needs_utf8(). Throws Error(input) if the text cannot be encoded.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // Returns the text of the ids. Ids outside [0, vocab) are skipped, because a model's vocabulary
  // may be padded.
  virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
};

// Returns the spec that an option names: "bytes", or the content of a tokenizer file. A tiktoken
// rank file is converted to an equivalent tokenizer.json. Throws Error(input) if the file cannot be
// read.
std::string read_tokenizer_spec(const std::string& option);

}  // namespace stagedtrain::data
