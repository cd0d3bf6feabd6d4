// Writes tokenizer.json, tokenizer.model and tokenizer_config.json.
#include "foreign/hf_tokenizer.h"

#include <algorithm>

#include "text/json.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::hub {
namespace {

using data::BpeDescription;

const BpeDescription& bytes_without_merges() {
  static const BpeDescription description = [] {
    BpeDescription bytes;
    for (int byte = 0; byte < 256; ++byte)
      bytes.tokens.push_back(data::character_of_byte(static_cast<unsigned char>(byte)));
    bytes.split = data::PreSplit::none;
    return bytes;
  }();
  return description;
}

// Returns the text of a special token, or null.
Json content_of(const BpeDescription& d, std::int32_t id) {
  const auto found = std::ranges::find(d.added, id, &data::AddedToken::id);
  return found == d.added.end() ? Json(nullptr) : Json(found->content);
}

Json config_of(const BpeDescription& d, std::int64_t context) {
  return {{"tokenizer_class", "PreTrainedTokenizerFast"},
          {"model_max_length", context},
          {"clean_up_tokenization_spaces", false},
          {"bos_token", content_of(d, d.begin)},
          {"eos_token", content_of(d, d.end)},
          {"pad_token", content_of(d, d.pad)}};
}

}  // namespace

HfTokenizer hf_tokenizer(const ParsedTokenizer& tokenizer, std::int64_t context) {
  const std::string& spec = tokenizer.spec;
  if (spec.empty()) return {};
  const bool bytes = spec == "bytes";
  if (!bytes && !tokenizer.bpe)
    return {{{"tokenizer.model", spec},
             {"tokenizer_config.json",
              Json{{"tokenizer_class", "LlamaTokenizer"}, {"model_max_length", context}}.dump(2)}},
            {}};
  const BpeDescription& d = bytes ? bytes_without_merges() : *tokenizer.bpe;
  return {{{"tokenizer.json", bytes ? data::to_tokenizer_json(d) : data::without_special_ids(spec)},
           {"tokenizer_config.json", config_of(d, context).dump(2) + "\n"}},
          {d.begin, d.end, d.pad}};
}

}  // namespace stagedtrain::hub
