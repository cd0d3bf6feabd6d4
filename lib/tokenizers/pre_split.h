// How is text split into words before byte-pair merges, by the patterns of published models?
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// none: the text is one word. smollm: each digit is a word, and the text between them is split as
// by gpt2.
enum class PreSplit { none, gpt2, llama3, qwen2, smollm };

// Returns the Regex of a tokenizer.json's Split pre-tokenizer. Returns "" for none, gpt2 and
// smollm, which use no Split (gpt2's pattern is built into ByteLevel, and smollm starts with
// Digits).
const char* split_pattern(PreSplit split);
// Returns the split with this Regex, or nothing if the pattern is unknown.
std::optional<PreSplit> find_split_pattern(std::string_view pattern);
// Returns the name of a split in GGUF's tokenizer.ggml.pre; find_ggml_pre inverts it.
const char* ggml_pre_name(PreSplit split);
std::optional<PreSplit> find_ggml_pre(std::string_view name);

// Splits text into words. Thread-safe.
class PreSplitter {
 public:
  explicit PreSplitter(PreSplit split);
  ~PreSplitter();
  // Calls use(word) for every word in order; the words concatenated are the text. Requires
  // well-formed UTF-8. Throws Error(input) if PCRE2 cannot match the pattern within its limits.
  void split(std::string_view text, const std::function<void(std::string_view)>& use) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace stagedtrain::data
