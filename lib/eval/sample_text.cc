// Encodes prompts, and decodes samples token by token.
#include "eval/sample_text.h"

#include <algorithm>

#include "base/error.h"
#include "text/text.h"
#include "text/utf8.h"

namespace stagedtrain::train {

SampleText::SampleText(std::shared_ptr<const data::Tokenizer> tokenizer, std::int64_t vocab,
                       std::string where)
    : tokenizer_(std::move(tokenizer)), vocab_(vocab), where_(std::move(where)) {}

std::vector<std::int32_t> SampleText::parse_ids(std::string text) const {
  std::replace(text.begin(), text.end(), ',', ' ');
  std::vector<std::int32_t> ids;
  for (const std::string& word : split(text, ' ')) {
    if (word.empty()) continue;
    const auto id = parse_count(word);
    if (!id || *id < 0 || *id >= std::int64_t{1} << 31)
      throw usage_error(
          "{}: found '{}', expected token ids such as '17 4 256': the checkpoint does not "
          "record its tokenizer",
          where_, word)
          .with_hint("give --tokenizer bytes or --tokenizer FILE.model for a prompt of text");
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

std::vector<std::int32_t> SampleText::ids_of(const std::string& prompt) const {
  if (!tokenizer_) return parse_ids(prompt);
  if (const auto bad = tokenizer_->needs_utf8() ? first_bad_utf8(prompt) : std::nullopt)
    throw usage_error("{}: byte {} is not UTF-8, which a SentencePiece model expects", where_,
                      *bad);
  return tokenizer_->encode(prompt);
}

std::vector<std::int64_t> SampleText::begin(const std::string& prompt) {
  ids_ = ids_of(prompt);
  if (ids_.empty() && tokenizer_) ids_ = tokenizer_->encode("\n");
  if (ids_.empty()) ids_ = {0};
  for (const std::int32_t id : ids_)
    if (id >= vocab_)
      throw usage_error(
          "{}: found the token id {}, expected ids below {}, the size of the vocabulary", where_,
          id, vocab_);
  if (tokenizer_) {
    said_ = prompt;
    decoded_ = tokenizer_->decode(ids_);
  } else {
    said_ = fmt::format("{}", fmt::join(ids_, " "));
  }
  return {ids_.begin(), ids_.end()};
}

std::string SampleText::add(std::int64_t id) {
  if (!tokenizer_) return fmt::format(" {}", id);
  ids_.push_back(static_cast<std::int32_t>(id));
  const std::string text = tokenizer_->decode(ids_);
  std::string added = text.substr(std::min(decoded_.size(), text.size()));
  decoded_ = text;
  return added;
}

}  // namespace stagedtrain::train
