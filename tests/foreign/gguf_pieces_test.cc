// A SentencePiece model that goes through a GGUF encodes as before; what llama.cpp cannot encode
// with is refused.
#include "foreign/gguf_pieces.h"

#include "hub/export.h"
#include "hub/hub_models.h"
#include "hub/import.h"
#include "support/errors.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "tokenizers/piece_model.h"
#include "tokenizers/tokenizer.h"

using namespace stagedtrain;
using test::contains;

namespace {

const std::vector<std::string> kWords = {
    "th", "\u2581th", "\u2581the", "at", "cat", "\u2581cat", "é", "\u2581", "\u2581\u2581",
    "t",  "h",        "e",         "c",  "a",   "数",        "s", "es",     "\u2581sat"};

std::vector<std::string> texts() {
  return {"",
          "the cat sat",
          " the  cats\n\n\tsat ",
          "naïve café, 数字 and \U0001f642",
          std::string("\0 the\x7f", 6),
          "<s> <unk> <0x41> </s>"};
}

struct Exported {
  std::string tokenizer;  // as it is imported again
  std::vector<std::string> notes, import_notes;
};
// With `rows` more rows than pieces.
Exported through_gguf(const std::string& spec, std::int64_t rows = 0) {
  const test::TempDir dir;
  arch::ModelConfig model = test::small_llama();
  model.vocab = data::Tokenizer::from_spec(spec, "spec")->vocab() + rows;
  state::TrainingState state = test::random_model(arch::resolved(model));
  state.run.tokenizer = spec;
  state::save(dir / "a.h5", state);
  const hub::ExportResult result = hub::export_model(
      state::CheckpointReader(dir / "a.h5"), dir / "a.gguf", {.format = hub::ExportFormat::gguf});
  const hub::ForeignModel back = hub::open_foreign_model(dir / "a.gguf");
  return {back.tokenizer, result.notes, back.notes};
}

}  // namespace

TEST_CASE("a SentencePiece model comes back from a GGUF with the same pieces and ids") {
  for (const bool space_prefix : {false, true}) {
    const std::string spec =
        test::sentencepiece_model(kWords, {.method = 2, .space_prefix = space_prefix});
    const Exported back = through_gguf(spec, 3);
    CHECK(back.import_notes.empty());
    CHECK(back.notes == std::vector<std::string>{"3 padded rows of the vocabulary were left out."});
    const data::PieceModel pieces = data::parse_piece_model(back.tokenizer, "back");
    CHECK(pieces.pieces == data::parse_piece_model(spec, "spec").pieces);
    CHECK(pieces.space_prefix == space_prefix);
    const auto before = data::Tokenizer::from_spec(spec, "spec"),
               after = data::Tokenizer::from_spec(back.tokenizer, "back");
    CHECK(before->vocab() == after->vocab());
    for (const std::string& text : texts()) {
      INFO(text);
      const std::vector<std::int32_t> ids = before->encode(text);
      CHECK(after->encode(text) == ids);
      CHECK(after->decode(ids) == before->decode(ids));
    }
    CHECK(through_gguf(back.tokenizer).tokenizer == back.tokenizer);
  }
}

TEST_CASE("what llama.cpp encodes in another way is said, and what it cannot encode is refused") {
  const Exported spaces =
      through_gguf(test::sentencepiece_model(kWords, {.method = 2, .removes_spaces = true}));
  REQUIRE(spaces.notes.size() == 1);
  CHECK(contains(spaces.notes[0], "removes repeated spaces, which llama.cpp does not do"));
  const auto refused = [](const std::string& spec) {
    return test::refusal(ErrorKind::usage, [&] { through_gguf(spec); });
  };
  CHECK(contains(refused(test::sentencepiece_model(kWords)), "of the kind unigram, expected bpe"));
  CHECK(contains(refused(test::sentencepiece_model(kWords, {.method = 2, .bytes = false})),
                 "without a piece for each byte"));
}

TEST_CASE("keys that are no SentencePiece model are refused by name") {
  using hub::GgufValue;
  const auto read = [](std::vector<std::string_view> tokens, std::vector<double> scores,
                       std::vector<std::int64_t> types) {
    std::map<std::string, GgufValue, std::less<>> keys;
    keys["tokenizer.ggml.tokens"].value = GgufValue::List(std::move(tokens));
    keys["tokenizer.ggml.scores"].value = GgufValue::List(std::move(scores));
    keys["tokenizer.ggml.token_type"].value = GgufValue::List(std::move(types));
    return hub::read_gguf_pieces(hub::GgufKeys("a.gguf", std::move(keys)));
  };
  const auto refused = [&](auto... lists) {
    return test::refusal(ErrorKind::input, [&] { read(lists...); });
  };
  using Tokens = std::vector<std::string_view>;
  using Scores = std::vector<double>;
  using Types = std::vector<std::int64_t>;
  CHECK(contains(refused(Tokens{"<unk>", "a"}, Scores{0}, Types{2, 1}),
                 "a.gguf: 1 scores and 2 token types for 2 tokens"));
  CHECK(contains(refused(Tokens{"<unk>", "a"}, Scores{0, 0}, Types{2, 7}), "token 1 has type 7"));
  CHECK(contains(refused(Tokens{"u", "a", "a"}, Scores{0, 0, 0}, Types{2, 1, 1}),
                 "not a SentencePiece model"));
  // The token of ggml's default id is the unknown one where none has its type; padding goes.
  const std::string model =
      read(Tokens{"u", "b", "c", "[PAD3]"}, Scores{0, -1, -2, 0}, Types{1, 3, 3, 5});
  const data::PieceModel pieces = data::parse_piece_model(model, "model");
  CHECK(pieces.pieces.size() == 3);
  CHECK(pieces.id_of("u", data::PieceType::unknown) == 0);
  CHECK(pieces.begin == "b");
  CHECK(pieces.end == "c");
}
