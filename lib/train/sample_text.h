// Text in and out of a model that is sampled: by its tokenizer, or as bare ids where none is known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer.h"

namespace stagedtrain::train {

// With a tokenizer, a prompt is text and so is what is added. Without one (a model that was trained
// on token files without a header), a prompt is ids between spaces or commas, and every id that is
// added comes as a number behind a space.
class SampleText {
 public:
  // tokenizer: null for bare ids. vocab: ids of the prompt must be below it.
  SampleText(std::unique_ptr<const data::Tokenizer> tokenizer, std::int64_t vocab);

  // The ids that the model begins with, at least one. Call once, first. Throws Error(usage) for a
  // prompt that is no list of ids where ids are expected, not UTF-8 where the tokenizer wants it,
  // or that has an id beyond the vocabulary.
  std::vector<std::int64_t> begin(const std::string& prompt);
  // What is printed of the prompt: the text as it was given, or the ids that were read.
  const std::string& said() const { return said_; }
  // What this id adds to the text. May be empty: a character can take several tokens.
  std::string add(std::int64_t id);
  bool as_ids() const { return !tokenizer_; }

 private:
  std::vector<std::int32_t> ids_of(const std::string& prompt) const;
  std::unique_ptr<const data::Tokenizer> tokenizer_;
  std::int64_t vocab_;
  std::vector<std::int32_t> ids_;
  std::string said_, decoded_;
};

}  // namespace stagedtrain::train
