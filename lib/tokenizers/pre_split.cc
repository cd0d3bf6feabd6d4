// Splits text into words with PCRE2; no other file includes it. Character classes follow Unicode.
// The code point lists replace \s and \S, because engines disagree on them (PCRE2's \s also matches
// U+180E).
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizers/pre_split.h"

#include <pcre2.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace stagedtrain::data {

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

namespace {

constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Row {
  PreSplit split;
  const char* pattern;  // the Split pre-tokenizer's Regex in tokenizer.json, or ""
  const char* matched;  // what PCRE2 matches here
  // the value of tokenizer.ggml.pre in GGUF
  const char* ggml;
};
constexpr Row kRows[] = {{PreSplit::none, "", "", "default"},
                         {PreSplit::gpt2, "", kGpt2, "gpt-2"},
                         {PreSplit::llama3, kLlama3, kLlama3, "llama-bpe"},
                         {PreSplit::qwen2, kQwen2, kQwen2, "qwen2"},
                         {PreSplit::smollm, "", kGpt2, "smollm"}};

const Row& row_of(PreSplit split) { return *std::ranges::find(kRows, split, &Row::split); }

constexpr std::string_view kSpace =
    R"(\x{9}-\x{d} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// Replaces \s and \S by explicit code point lists, inside and outside of bracketed classes.
std::string spelt_out(std::string_view pattern) {
  std::string text;
  bool inside = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool escape = pattern[i] == '\\';
    if (escape && pattern[i + 1] == 's') {
      text += inside ? std::string(kSpace) : fmt::format("[{}]", kSpace);
      ++i;
    } else if (escape && pattern[i + 1] == 'S') {
      text += fmt::format("[^{}]", kSpace);
      ++i;
    } else {
      inside = pattern[i] == '[' || (inside && pattern[i] != ']');
      text += pattern[i];
      if (escape) text += pattern[++i];
    }
  }
  return text;
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using Code = std::unique_ptr<pcre2_code, FreeCode>;

Code compile(std::string_view pattern) {
  if (pattern.empty()) return nullptr;
  const std::string text = spelt_out(pattern);
  int fault = 0;
  PCRE2_SIZE place = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &fault, &place, nullptr));
  ST_CHECK(code, "pattern {}: error {} at {}", text, fault, place);
  // Matching works without JIT too, only slower, so its result is ignored.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

using Use = std::function<void(std::string_view)>;

// Calls use() for every match and between() for the non-empty text between matches, in order.
void split_by(const pcre2_code* code, std::string_view text, const Use& use, const Use& between) {
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(code, nullptr));
  if (!match) throw std::bad_alloc();
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t place = 0;
  while (place < text.size()) {
    const int found =
        pcre2_match(code, subject, text.size(), place, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw input_error("the text at byte {} cannot be split into words (PCRE2 error {})", place,
                        found);
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
    if (ends[0] > place) between(text.substr(place, ends[0] - place));
    use(text.substr(ends[0], ends[1] - ends[0]));
    place = ends[1];
  }
  if (place < text.size()) between(text.substr(place));
}

}  // namespace

struct PreSplitter::Impl {
  Code words, digits;
};

PreSplitter::PreSplitter(PreSplit split)
    : impl_(std::make_unique<const Impl>(
          Impl{compile(row_of(split).matched),
               split == PreSplit::smollm ? compile(R"(\p{N})") : nullptr})) {}
PreSplitter::~PreSplitter() = default;

void PreSplitter::split(std::string_view text, const Use& use) const {
  if (text.empty()) return;
  if (!impl_->words) return use(text);
  const Use words = [&](std::string_view part) { split_by(impl_->words.get(), part, use, use); };
  if (!impl_->digits) return words(text);
  // The text between two digits is split on its own, so a look-ahead does not see the next digit.
  split_by(impl_->digits.get(), text, use, words);
}

const char* split_pattern(PreSplit split) { return row_of(split).pattern; }

std::optional<PreSplit> find_split_pattern(std::string_view pattern) {
  for (const Row& row : kRows)
    if (*row.pattern && row.pattern == pattern) return row.split;
  return {};
}

const char* ggml_pre_name(PreSplit split) { return row_of(split).ggml; }

std::optional<PreSplit> find_ggml_pre(std::string_view name) {
  for (const Row& row : kRows)
    if (row.ggml == name) return row.split;
  return {};
}

}  // namespace stagedtrain::data
