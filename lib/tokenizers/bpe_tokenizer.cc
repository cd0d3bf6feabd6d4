// Encodes text with byte-level BPE: finds added tokens, splits the rest into words, merges each
// word.
#include "tokenizers/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "tokenizers/bpe.h"
#include "tokenizers/pre_split.h"

namespace stagedtrain::data {
namespace {

// Finds added tokens in text: the leftmost first, and the longest where several start at one place.
class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    std::ranges::stable_sort(tokens_, std::greater<>{},
                             [](const AddedToken& t) { return t.content.size(); });
    for (const AddedToken& token : tokens_)
      begins_[static_cast<unsigned char>(token.content[0])] = true;
  }
  // Calls token(id) for each added token and text(part) for the text between them, in order.
  template <class Text, class Token>
  void walk(std::string_view all, Text text, Token token) const {
    std::size_t done = 0;
    for (std::size_t place = 0; place < all.size();) {
      const AddedToken* found = begins_[static_cast<unsigned char>(all[place])]
                                    ? match(all.substr(place)) : nullptr;
      if (!found) {
        ++place;
        continue;
      }
      text(all.substr(done, place - done));
      token(found->id);
      done = place += found->content.size();
    }
    text(all.substr(done));
  }

 private:
  const AddedToken* match(std::string_view rest) const {
    const auto found = std::ranges::find_if(
        tokens_, [&](const AddedToken& token) { return rest.starts_with(token.content); });
    return found == tokens_.end() ? nullptr : &*found;
  }
  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};
};

// Caches the ids of the words of one text. The keys are views into that text.
class WordCache {
 public:
  explicit WordCache(const BytePairMerger& merger) : merger_(merger) {}
  void encode(std::string_view word, std::vector<std::int32_t>& ids) {
    if (word.size() > kLongest) return merger_.encode(word, ids);
    const auto [found, is_new] = known_.try_emplace(word, IdSpan{});
    IdSpan& span = found->second;
    if (is_new) {
      span.first = all_.size();
      merger_.encode(word, all_);
      span.count = all_.size() - span.first;
    }
    const auto first = all_.begin() + static_cast<std::ptrdiff_t>(span.first);
    ids.insert(ids.end(), first, first + static_cast<std::ptrdiff_t>(span.count));
  }

 private:
  static constexpr std::size_t kLongest = 64;  // longer words seldom recur
  struct IdSpan {
    std::size_t first = 0, count = 0;
  };
  const BytePairMerger& merger_;
  std::unordered_map<std::string_view, IdSpan> known_;
  std::vector<std::int32_t> all_;
};

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(const std::string& spec, const BpeDescription& description,
               const std::string& where)
      : spec_(spec),
        vocab_(description.vocab()),
        merger_(description, where),
        splitter_(description.split),
        added_(description.added) {
    for (const AddedToken& token : description.added) contents_[token.id] = token.content;
  }
  std::string name() const override { return "BPE"; }
  const std::string& spec() const override { return spec_; }
  std::int64_t vocab() const override { return vocab_; }
  bool needs_utf8() const override { return true; }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    WordCache cache(merger_);
    added_.walk(
        text,
        [&](std::string_view part) {
          splitter_.split(part, [&](std::string_view word) { cache.encode(word, ids); });
        },
        [&](std::int32_t id) { ids.push_back(id); });
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      if (const auto added = contents_.find(id); added != contents_.end()) {
        text += added->second;
      } else if (id >= 0 && id < merger_.tokens()) {
        text += merger_.bytes(id);
      }
    }
    return text;
  }

 private:
  std::string spec_;
  std::int64_t vocab_;
  BytePairMerger merger_;
  PreSplitter splitter_;
  AddedTokens added_;
  std::unordered_map<std::int32_t, std::string> contents_;  // id of an added token -> its text
};

}  // namespace

std::unique_ptr<const Tokenizer> make_bpe_tokenizer(const std::string& spec,
                                                    const std::string& where) {
  return std::make_unique<BpeTokenizer>(spec, parse_tokenizer_json(spec, where), where);
}

}  // namespace stagedtrain::data
