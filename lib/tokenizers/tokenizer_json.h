// Which byte-level BPE tokenizer does a tokenizer.json (of the `tokenizers` library) describe?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizers/pre_split.h"

namespace stagedtrain::data {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;  // plain text; matched before the rest is split into words
  bool special = false;
};

struct BpeDescription {
  // Tokens by id, in the byte alphabet; "" if the id has no token or belongs to an added token.
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // highest priority first
  std::vector<AddedToken> added;                            // sorted by id
  PreSplit split = PreSplit::gpt2;
  bool ignore_merges = false;  // whether a word that is itself a token skips the merges
  // Ids of special tokens, or -1. tokenizer.json has no field for them; see with_special_ids.
  std::int32_t begin = -1, end = -1, pad = -1;

  std::int64_t vocab() const;  // all ids are below it
  // Returns whether the token of every id is the byte of that value, as in the tokenizer "bytes".
  bool spells_bytes() const;
};

// Returns whether a tokenizer spec is a tokenizer.json.
bool is_tokenizer_json(std::string_view spec);
// Throws Error(input), with a message that starts with `where` and names the part, for anything
// except byte-level BPE with one of the splits of pre_split.h. Other models, normalizers and added
// tokens that strip spaces are refused.
BpeDescription parse_tokenizer_json(std::string_view text, const std::string& where);
std::string to_tokenizer_json(const BpeDescription& description);

// with_special_ids puts the ids of special tokens (-1: none) in front of a tokenizer.json, as
// checkpoints carry it. without_special_ids removes them, for other programs.
std::string with_special_ids(std::string_view text, std::int32_t begin, std::int32_t end,
                             std::int32_t pad);
std::string without_special_ids(std::string_view text);

}  // namespace stagedtrain::data
