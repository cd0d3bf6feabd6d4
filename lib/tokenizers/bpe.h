// Encodes one word by byte-pair merges, as byte-level BPE does after pre-tokenization.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::data {

// A word starts as its bytes. The adjacent pair with the lowest merge rank is then merged
// repeatedly, the leftmost first among equal ranks, until no pair has a merge. Immutable and
// thread-safe.
class BytePairMerger {
 public:
  // Throws Error(input), with a message that starts with `where`, unless every token is written in
  // the byte alphabet and both parts and the result of every merge are tokens.
  BytePairMerger(const BpeDescription& description, const std::string& where);
  // Appends the ids of a word, in O(n log n) of its length. Throws Error(input) if the word
  // contains a byte that has no token.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;
  // Returns the bytes of a token, or "" if the id has none. Requires 0 <= id < tokens().
  const std::string& bytes(std::int32_t id) const { return bytes_[static_cast<std::size_t>(id)]; }
  std::int64_t tokens() const { return static_cast<std::int64_t>(bytes_.size()); }

 private:
  struct Merge {
    std::uint64_t pair = kNone;  // left << 32 | right
    std::int32_t rank = 0, id = 0;
  };
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  const Merge* find(std::int32_t left, std::int32_t right) const;
  void add_merge(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t id);
  void merge(std::string_view word, std::vector<std::int32_t>& ids) const;

  bool ignore_merges_;
  std::vector<std::string> bytes_;                     // indexed by id
  std::unordered_map<std::string, std::int32_t> ids_;  // bytes -> id
  std::array<std::int32_t, 256> byte_ids_{};
  // A hash table with open addressing; its size is a power of two, and at most half of it is used.
  std::vector<Merge> merges_;
};

}  // namespace stagedtrain::data
