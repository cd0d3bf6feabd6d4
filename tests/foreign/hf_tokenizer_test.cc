// Tokens that are prepared with an exported tokenizer belong to the model that it was exported
// from.
#include "foreign/hf_tokenizer.h"

#include "support/catch.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "tokenizers/same_tokenizer.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/tokenizer_json.h"

using namespace stagedtrain;

namespace {

// A byte-level BPE of two tokens.
std::string bpe() {
  data::BpeDescription bpe;
  bpe.tokens = {"a", "b", "ab"};
  bpe.merges = {{"a", "b"}};
  return data::with_special_ids(data::to_tokenizer_json(bpe), 0, 1, -1);
}

}  // namespace

TEST_CASE("a tokenizer of any kind that is exported is read as the same tokenizer") {
  for (const std::string& spec : {std::string("bytes"), bpe(), test::sentencepiece_model({"a"})}) {
    const test::TempDir dir;
    const auto [name, content] = hub::hf_tokenizer(spec, 16).files.at(0);
    test::write_text(dir / name, content);
    const std::string back = data::read_tokenizer_spec((dir / name).string());
    INFO(name << ": " << data::describe_tokenizer(spec) << ", " << data::describe_tokenizer(back));
    CHECK_NOTHROW(data::require_same_tokenizer("a", spec, "b", back));
  }
}
