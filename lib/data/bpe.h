// Byte-pair merges within one word.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer_json.h"

namespace stagedtrain::data {

// A word begins as its bytes; then, again and again, the neighbours whose merge comes first in the
// list become one token (the leftmost of equals). Immutable; may be used by several threads.
class BytePairMerger {
 public:
  // Throws Error(input), beginning with where, unless all 256 bytes are tokens, and both parts and
  // the result of every merge.
  BytePairMerger(const BpeDescription& description, const std::string& where);
  // Appends the ids of a word. Time n log n in its length.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;
  // The bytes of a token; "" where the id has none.
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
  std::vector<std::string> bytes_;                      // by id
  std::unordered_map<std::string, std::int32_t> ids_;   // by bytes
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<Merge> merges_;  // open addressing; a power of two, at most half full
};

}  // namespace stagedtrain::data
