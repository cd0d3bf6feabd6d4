// Applies byte-pair merges to one word: a priority queue of merge candidates over a linked list of
// symbols, O(n log n) in the length of the word.
#include "tokenizers/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "base/error.h"
#include "base/rng.h"
#include "text/printable.h"
#include "tokenizers/byte_alphabet.h"

namespace stagedtrain::data {
namespace {

struct Symbol {
  // id is -1 once the symbol has been merged into its left neighbour; previous and next are indices,
  // or -1 at either end.
  std::int32_t id, previous, next;
};
// A pair of neighbours that can be merged. It is stale, and skipped, if either has changed since.
struct Candidate {
  std::int32_t rank, place, left, right, id;
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : place > other.place;
  }
};

}  // namespace

BytePairMerger::BytePairMerger(const BpeDescription& d, const std::string& where)
    : ignore_merges_(d.ignore_merges) {
  for (const std::string& token : d.tokens) {
    const auto bytes = bytes_of_characters(token);
    if (!bytes)
      throw input_error("{}: the token '{}' is not written in the byte alphabet of GPT-2", where,
                        printable(token));
    if (!bytes->empty()) ids_.emplace(*bytes, static_cast<std::int32_t>(bytes_.size()));
    bytes_.push_back(*bytes);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids_.find(std::string(1, static_cast<char>(byte)));
    // SmolLM2's vocabulary lacks some control bytes; merge() refuses text that contains one.
    byte_ids_[static_cast<std::size_t>(byte)] = found == ids_.end() ? -1 : found->second;
  }
  merges_.resize(std::bit_ceil(2 * d.merges.size() + 2));
  std::unordered_map<std::string_view, std::int32_t> written;  // token as written -> id
  for (std::size_t id = 0; id < d.tokens.size(); ++id)
    if (!d.tokens[id].empty()) written.emplace(d.tokens[id], static_cast<std::int32_t>(id));
  for (std::size_t rank = 0; rank < d.merges.size(); ++rank) {
    const auto& [a, b] = d.merges[rank];
    const auto left = written.find(a), right = written.find(b), both = written.find(a + b);
    if (left == written.end() || right == written.end() || both == written.end())
      throw input_error("{}: merge {} ('{}' and '{}') uses a token that is not in the vocabulary",
                        where, rank, printable(a), printable(b));
    add_merge(left->second, right->second, static_cast<std::int32_t>(rank), both->second);
  }
}

void BytePairMerger::add_merge(std::int32_t left, std::int32_t right, std::int32_t rank,
                               std::int32_t id) {
  const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  std::size_t place = mix64(pair) & (merges_.size() - 1);
  while (merges_[place].pair != kNone && merges_[place].pair != pair)
    place = (place + 1) & (merges_.size() - 1);
  merges_[place] = {pair, rank, id};  // if a pair is listed twice, the last one wins
}

const BytePairMerger::Merge* BytePairMerger::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  std::size_t place = mix64(pair) & (merges_.size() - 1);
  while (merges_[place].pair != kNone) {
    if (merges_[place].pair == pair) return &merges_[place];
    place = (place + 1) & (merges_.size() - 1);
  }
  return nullptr;
}

void BytePairMerger::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (ignore_merges_) {
    const auto found = ids_.find(std::string(word));
    if (found != ids_.end()) return ids.push_back(found->second);
  }
  merge(word, ids);
}

void BytePairMerger::merge(std::string_view word, std::vector<std::int32_t>& ids) const {
  const auto size = static_cast<std::int32_t>(word.size());
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::int32_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    if (byte_ids_[byte] < 0)
      throw input_error("the text holds the byte {}, for which the tokenizer has no token", byte)
          .with_hint("remove it from the text: it is likely a control character");
    symbols.push_back({byte_ids_[byte], i - 1, i + 1 < size ? i + 1 : -1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](std::int32_t place) {
    if (place < 0 || symbols[place].next < 0) return;
    const std::int32_t left = symbols[place].id, right = symbols[symbols[place].next].id;
    if (const Merge* merge = find(left, right))
      queue.push({merge->rank, place, left, right, merge->id});
  };
  for (std::int32_t i = 0; i + 1 < size; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& symbol = symbols[best.place];
    if (symbol.id != best.left || symbol.next < 0 || symbols[symbol.next].id != best.right)
      continue;
    Symbol& gone = symbols[symbol.next];
    symbol.id = best.id;
    symbol.next = gone.next;
    gone.id = -1;
    if (symbol.next >= 0) symbols[symbol.next].previous = best.place;
    consider(symbol.previous);
    consider(best.place);
  }
  for (std::int32_t i = size > 0 ? 0 : -1; i >= 0; i = symbols[i].next)
    ids.push_back(symbols[i].id);
}

}  // namespace stagedtrain::data
