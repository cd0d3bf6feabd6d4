// Implements the byte and SentencePiece tokenizers. This is the only file that includes
// SentencePiece.
#include "tokenizers/tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "base/error.h"
#include "io/file.h"
#include "tokenizers/bpe_tokenizer.h"
#include "tokenizers/charsmap.h"
#include "tokenizers/tiktoken_ranks.h"
#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::data {
namespace {

class Bytes final : public Tokenizer {
 public:
  std::string name() const override { return "bytes"; }
  const std::string& spec() const override {
    static const std::string spec = "bytes";
    return spec;
  }
  std::int64_t vocab() const override { return 256; }
  bool needs_utf8() const override { return false; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids(text.size());
    std::transform(text.begin(), text.end(), ids.begin(),
                   [](char c) { return static_cast<unsigned char>(c); });
    return ids;
  }
  std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    for (std::int32_t id : ids)
      if (id >= 0 && id < 256) text += static_cast<char>(id);
    return text;
  }
};

// Returns whether SentencePiece can read the model. Darts, with which it looks pieces up, throws
// where a piece begins with a null character.
bool loads(sentencepiece::SentencePieceProcessor& processor, const std::string& model) try {
  return processor.LoadFromSerializedProto(model).ok();
} catch (const std::bad_alloc&) {
  throw;
} catch (const std::exception&) {
  return false;
}

class SentencePiece final : public Tokenizer {
 public:
  SentencePiece(const std::string& model, const std::string& where) : model_(model) {
    const bool parsed = charsmaps_are_sound(model_) && loads(processor_, model_);
    if (!parsed || processor_.GetPieceSize() <= 0)
      throw input_error("{}: not a SentencePiece model (found {} bytes that {})", where,
                        model_.size(), parsed ? "contain no pieces" : "cannot be read as one")
          .with_hint(
              "give --tokenizer bytes, a tokenizer.json, a rank file of tiktoken, or a .model "
              "file that spm_train wrote");
  }
  std::string name() const override { return "SentencePiece"; }
  const std::string& spec() const override { return model_; }
  std::int64_t vocab() const override { return processor_.GetPieceSize(); }
  bool needs_utf8() const override { return true; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok()) throw input_error("SentencePiece cannot encode: {}", status.message());
    return {ids.begin(), ids.end()};
  }
  std::string decode(std::span<const std::int32_t> ids) const override {
    std::vector<int> known;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(known),
                 [this](std::int32_t id) { return id >= 0 && id < processor_.GetPieceSize(); });
    std::string text;
    const auto status = processor_.Decode(known, &text);
    if (!status.ok()) throw input_error("SentencePiece cannot decode: {}", status.message());
    return text;
  }

 private:
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::unique_ptr<const Tokenizer> Tokenizer::from_spec(const std::string& spec,
                                                      const std::string& where) {
  if (spec == "bytes") return std::make_unique<Bytes>();
  if (is_tokenizer_json(spec)) return make_bpe_tokenizer(spec, where);
  return std::make_unique<SentencePiece>(spec, where);
}

std::string read_tokenizer_spec(const std::string& option) {
  constexpr std::uint64_t kMaxModelBytes = std::uint64_t{256} << 20;
  if (option == "bytes") return option;
  const std::string text = read_text_file(option, kMaxModelBytes);
  // A rank file is converted to an equivalent tokenizer.json, which token files and checkpoints
  // carry. The tokenizer.json of an exported byte model is the tokenizer "bytes" again.
  if (is_rank_file(text)) return to_tokenizer_json(parse_rank_file(text, option));
  const bool bytes = is_tokenizer_json(text) && parse_tokenizer_json(text, option).spells_bytes();
  return bytes ? "bytes" : text;
}

}  // namespace stagedtrain::data
