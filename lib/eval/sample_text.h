// Converts between text and ids for a model that generates: with its tokenizer, or as plain ids if
// none is known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizers/tokenizer.h"

namespace stagedtrain::train {

// With a tokenizer, the prompt and all additions are text. Without one (the model was trained on
// token files without a header), the prompt is a list of ids separated by spaces or commas, and
// each new id is printed as a number after a space.
class SampleText {
 public:
  // tokenizer: null for plain ids. vocab: ids of the prompt must be below it. `where` names the
  // prompt in errors.
  SampleText(std::shared_ptr<const data::Tokenizer> tokenizer, std::int64_t vocab,
             std::string where = "--prompt");

  // Returns the ids that the model starts from, at least one. Call once, before add(). Throws
  // Error(usage) if a prompt of ids is not a list of ids, if a prompt of text is not UTF-8 although
  // the tokenizer requires it, or if an id is outside the vocabulary.
  std::vector<std::int64_t> begin(const std::string& prompt);
  // The prompt as it is printed: the given text, or the ids that were read.
  const std::string& said() const { return said_; }
  // Returns the text that this id adds. It may be empty, because a character can take several
  // tokens.
  std::string add(std::int64_t id);
  bool as_ids() const { return !tokenizer_; }

 private:
  std::vector<std::int32_t> ids_of(const std::string& prompt) const;
  std::vector<std::int32_t> parse_ids(std::string text) const;
  std::shared_ptr<const data::Tokenizer> tokenizer_;
  std::int64_t vocab_;
  std::string where_;
  std::vector<std::int32_t> ids_;
  std::string said_, decoded_;
};

}  // namespace stagedtrain::train
