// Converts tiktoken ranks to byte-pair merges.
#include "tokenizers/tiktoken_ranks.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "text/printable.h"
#include "text/text.h"
#include "tokenizers/byte_alphabet.h"

namespace stagedtrain::data {
namespace {

// A published vocabulary, recognised by the number of its ranks.
struct Known {
  std::size_t ranks;
  PreSplit split;
  std::vector<AddedToken> special;
};
const std::vector<Known>& known_vocabularies() {
  static const std::vector<Known> known = {
      {50256, PreSplit::gpt2, {{50256, "<|endoftext|>", true}}},
      {100256, PreSplit::llama3, {{100257, "<|endoftext|>", true}}},
      {128000,
       PreSplit::llama3,
       {{128000, "<|begin_of_text|>", true}, {128001, "<|end_of_text|>", true}}},
      {151643,
       PreSplit::qwen2,
       {{151643, "<|endoftext|>", true},
        {151644, "<|im_start|>", true},
        {151645, "<|im_end|>", true}}}};
  return known;
}

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  for (int pad = 0; pad < 2 && text.ends_with('='); ++pad) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return {};
    bits = bits << 6 | static_cast<unsigned>(value);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes.empty() ? std::nullopt : std::optional(bytes);
}

struct Line {
  std::string token;
  std::int64_t rank = 0;
};
std::optional<Line> parse_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return {};
  const auto token = decode_base64(line.substr(0, space));
  const std::string_view digits = trim(line.substr(space));
  if (!token || digits.empty() || digits.size() > 9 ||
      !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return {};
  return Line{*token, std::stoll(std::string(digits))};
}

// Adds every split of a token into two tokens as a merge. tiktoken merges whichever two neighbours
// form the token with the lowest rank, so all of these splits have that token's rank.
void add_merges(const std::string& token,
                const std::unordered_map<std::string, std::size_t>& ids, BpeDescription& found) {
  for (std::size_t cut = 1; cut < token.size(); ++cut) {
    const std::string left = token.substr(0, cut), right = token.substr(cut);
    if (ids.contains(left) && ids.contains(right))
      found.merges.emplace_back(characters_of_bytes(left), characters_of_bytes(right));
  }
}

}  // namespace

bool is_rank_file(std::string_view text) {
  return parse_line(text.substr(0, text.find('\n'))).has_value();
}

BpeDescription parse_rank_file(std::string_view text, const std::string& where) {
  std::vector<std::string> tokens;
  std::unordered_map<std::string, std::size_t> ids;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    const std::string_view words = trim(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
    if (words.empty()) continue;
    const auto read = parse_line(words);
    const bool next = read && read->rank == static_cast<std::int64_t>(tokens.size());
    if (!next || !ids.emplace(read->token, tokens.size()).second)
      throw input_error("{}:{}: found '{}', expected a new token in base64 and the rank {}", where,
                        line, printable(words), tokens.size());
    tokens.push_back(read->token);
  }
  const auto known = std::ranges::find(known_vocabularies(), tokens.size(), &Known::ranks);
  if (known == known_vocabularies().end())
    throw input_error(
        "{}: holds {} ranks; a rank file does not say how text is cut into words, which is known "
        "for 50,256 (GPT-2), 100,256 (cl100k), 128,000 (Llama 3) and 151,643 (Qwen)",
        where, grouped(static_cast<std::int64_t>(tokens.size())))
        .with_hint("give the tokenizer.json of the same model");
  BpeDescription found;
  found.split = known->split;
  found.added = known->special;
  found.ignore_merges = true;
  for (const std::string& token : tokens) {
    found.tokens.push_back(characters_of_bytes(token));
    add_merges(token, ids, found);
  }
  return found;
}

}  // namespace stagedtrain::data
