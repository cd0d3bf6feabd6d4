// Text to token ids and back: bytes, byte-level BPE (a tokenizer.json), or a SentencePiece model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stagedtrain::data {

// Immutable; may be used by several threads.
class Tokenizer {
 public:
  // spec: "bytes", the text of a tokenizer.json, or a serialized SentencePiece model: what token
  // files and checkpoints carry. where names its origin in errors. Throws Error(input) if it is
  // none of them.
  static std::unique_ptr<const Tokenizer> from_spec(const std::string& spec,
                                                    const std::string& where);

  virtual ~Tokenizer() = default;
  virtual std::string name() const = 0;  // "bytes", "BPE", "SentencePiece"
  virtual const std::string& spec() const = 0;
  virtual std::int64_t vocab() const = 0;  // all ids are below it
  // Whether encode() refuses text that is not UTF-8.
  virtual bool needs_utf8() const = 0;
  // Requires well-formed UTF-8 where needs_utf8(). Throws Error(input) if the model cannot encode
  // it.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // Text of the ids; those outside [0, vocab) give nothing (a model's vocabulary may be padded).
  virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
};

// The spec that an option names: "bytes", or the content of the model file (of a rank file of
// tiktoken, the tokenizer.json that says the same). Throws Error(input) if
// there is no such file.
std::string read_tokenizer_spec(const std::string& option);

}  // namespace stagedtrain::data
