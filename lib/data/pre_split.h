// How text is cut into words before byte-pair merges: the patterns that models were trained with.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// none: no split. smollm splits off each digit, then as gpt2.
enum class PreSplit { none, gpt2, llama3, qwen2, smollm };

// The pattern of a Split pre-tokenizer in a tokenizer.json ("" for none and those that are built of
// others: gpt2 is ByteLevel's own, smollm begins with Digits).
const char* split_pattern(PreSplit split);
// The split whose Split pattern this is.
std::optional<PreSplit> find_split_pattern(std::string_view pattern);
// As GGUF's tokenizer.ggml.pre names it.
const char* ggml_pre_name(PreSplit split);
std::optional<PreSplit> find_ggml_pre(std::string_view name);

// Cuts text; may be used by several threads.
class PreSplitter {
 public:
  explicit PreSplitter(PreSplit split);
  ~PreSplitter();
  // Calls use with every word in order; together they are the text. Requires well-formed UTF-8.
  // Throws Error(input) where the pattern cannot be matched within its limits.
  void split(std::string_view text, const std::function<void(std::string_view)>& use) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace stagedtrain::data
