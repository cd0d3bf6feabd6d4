// A byte-level BPE tokenizer as data: what a tokenizer.json of the `tokenizers` library says, as far
// as it is supported.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/pre_split.h"

namespace stagedtrain::data {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;  // plain text, found before anything else is split
  bool special = false;
};

struct BpeDescription {
  // By id, in the byte alphabet; "" where an id has no token, or an added one.
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;  // the most important first
  std::vector<AddedToken> added;                            // sorted by id
  PreSplit split = PreSplit::gpt2;
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  // Ids of special tokens, or -1. tokenizer.json has no place for them; see with_special_ids.
  std::int32_t begin = -1, end = -1, pad = -1;

  std::int64_t vocab() const;  // all ids are below it
  // Whether every id is the byte of that number: the tokenizer "bytes".
  bool spells_bytes() const;
};

// Whether a tokenizer's spec is of this kind.
bool is_tokenizer_json(std::string_view spec);
// Throws Error(input), naming where and the part, for anything but BPE on bytes with one of the
// splits of pre_split.h: other models, normalizers, added tokens that strip spaces.
BpeDescription parse_tokenizer_json(std::string_view text, const std::string& where);
std::string to_tokenizer_json(const BpeDescription& description);

// The same tokenizer.json with ids of special tokens (-1: none) in front of it, as checkpoints carry
// it; and without, as other programs want it.
std::string with_special_ids(std::string_view text, std::int32_t begin, std::int32_t end,
                             std::int32_t pad);
std::string without_special_ids(std::string_view text);

}  // namespace stagedtrain::data
