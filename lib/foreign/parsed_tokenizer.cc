// Parses a tokenizer.json itself; only a SentencePiece model needs its library to count the pieces.
#include "foreign/parsed_tokenizer.h"

#include "tokenizers/tokenizer.h"

namespace stagedtrain::hub {

ParsedTokenizer::ParsedTokenizer(const std::string& text) : spec(text) {
  constexpr const char* kWhere = "the checkpoint's tokenizer";
  if (spec.empty()) return;
  if (data::is_tokenizer_json(spec)) bpe = data::parse_tokenizer_json(spec, kWhere);
  vocab = bpe ? bpe->vocab() : data::Tokenizer::from_spec(spec, kWhere)->vocab();
}

}  // namespace stagedtrain::hub
