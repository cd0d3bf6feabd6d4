// Found 2026-11: files that are not what they were taken for, or that another tokenizer made, were
// trained on and scored without a word.
#include <cstring>

#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/sentencepiece_model.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

std::string uint32_tokens(std::size_t count) {
  const CounterRng rng(1, 1);
  std::string bytes(4 * count, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = static_cast<std::uint32_t>(rng.below(i, 256));
    std::memcpy(bytes.data() + 4 * i, &id, sizeof id);
  }
  return bytes;
}

std::string llmc_header(std::int32_t magic, std::int32_t version, std::int32_t count) {
  std::string header(1024, '\0');
  std::memcpy(header.data(), &magic, 4);
  std::memcpy(header.data() + 4, &version, 4);
  std::memcpy(header.data() + 8, &count, 4);
  return header;
}

// The tiny run with both token files replaced.
test::CommandResult train_on(const test::TinyRun& tiny, const std::string& tokens) {
  for (const char* name : {"train.bin", "validation.bin"})
    test::write_text(tiny / "data" / name, tokens);
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  return test::stagedtrain({"train", (tiny / "tiny.yaml").string(), "--out",
                            (tiny / "run").string(), "--threads", "1", "--json"});
}

Json shown(const Path& path) {
  const auto result = test::stagedtrain({"show", path.string(), "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return parse_json(result.out, "stdout");
}

state::TrainingState state_of(const test::TinyRun& tiny, const std::string& tokenizer) {
  state::TrainingState state = state::fresh(tiny.plan().final_model, 1);
  state.run.tokenizer = tokenizer;
  return state;
}

}  // namespace

TEST_CASE("files of 4-byte ids are trained on as such, and said to be") {
  const test::TinyRun tiny;
  const bool llama = GENERATE(false, true);
  const std::string tokens = uint32_tokens(2000);
  const auto result = train_on(tiny, llama ? llmc_header(20240801, 7, 2000) + tokens : tokens);
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, llama ? "train.bin: llm.c writes this header for Llama 3's tokenizer"
                                   : "train.bin: no header was found; read as ids of 4 bytes"));
  const Json json = shown(tiny / "data/train.bin");
  CHECK(json["kind"] == "tokens");
  CHECK(json["tokens"] == 2000);
  CHECK(json["bytes_per_token"] == 4);
  CHECK(json["format"] == (llama ? "llm.c" : "raw uint32"));
}

TEST_CASE("files that hold no tokens are not trained on") {
  const test::TinyRun tiny;
  check_refused(train_on(tiny, llmc_header(20240522, 1, 2000) + uint32_tokens(1000)), 3,
                "train.bin: is an evaluation file of llm.c");
  check_refused(train_on(tiny, test::made_up_text(20000)), 3, "train.bin: is text");
  CHECK_FALSE(std::filesystem::exists(tiny / "run"));
}

TEST_CASE("show describes a raw uint16 file with what it was taken for") {
  const test::TinyRun tiny;
  test::write_text(tiny / "raw.bin", std::string(4000, '\1'));
  const Json json = shown(tiny / "raw.bin");
  CHECK(json["format"] == "raw uint16");
  CHECK(contains(json["taken_for"].get<std::string>(), "largest id 257"));
  const auto text = test::stagedtrain({"show", (tiny / "raw.bin").string()});
  CHECK(contains(text.out, "note          no header was found"));
}

TEST_CASE("from: and grow --verify refuse tokens of another tokenizer, and name both") {
  const test::TinyRun tiny;
  const std::string words = test::sentencepiece_model({"light"});
  state::TrainingState small = state_of(tiny, words);
  state::save(tiny / "words.h5", small);
  const std::string from = (tiny / "words.h5").string();

  const auto grown =
      test::stagedtrain({"grow", from, (tiny / "grown.h5").string(), "--operator", "depth",
                         "--layers", "4", "--verify", (tiny / "data/validation.bin").string()});
  check_refused(grown, 3, "validation.bin: its tokenizer is bytes, but that of ");
  CHECK(contains(grown.err, "words.h5 is the SentencePiece model of"));
  CHECK_FALSE(std::filesystem::exists(tiny / "grown.h5"));

  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const auto trained = test::stagedtrain(
      {"train", (tiny / "tiny.yaml").string(), "--out", (tiny / "run").string(), "--threads", "1",
       "--set", "from=" + from, "--set", "stages.small.model={layers: 2}", "--set",
       "stages.full.grow.0.layers=4", "--set", "model.layers=4"});
  check_refused(trained, 3, "train.bin: its tokenizer is bytes, but that of ");
  CHECK(contains(trained.err, "words.h5 is the SentencePiece model of"));
}

TEST_CASE("a run's validation tokens have the tokenizer of its training tokens") {
  const test::TinyRun tiny;
  test::write_text(tiny / "words.model", test::sentencepiece_model({"light"}));
  test::write_text(tiny / "text.txt", test::made_up_text(20000));
  REQUIRE(
      test::stagedtrain({"data", (tiny / "text.txt").string(), "--out", (tiny / "words").string(),
                         "--tokenizer", (tiny / "words.model").string()})
          .exit_code == 0);
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const auto result = test::stagedtrain(
      {"train", (tiny / "tiny.yaml").string(), "--out", (tiny / "run").string(), "--set",
       "model.vocab=300", "--set", "data.validation=" + (tiny / "words/validation.bin").string()});
  check_refused(result, 3, "words/validation.bin: its tokenizer is the SentencePiece model");
  CHECK(contains(result.err, "train.bin is bytes"));
}
