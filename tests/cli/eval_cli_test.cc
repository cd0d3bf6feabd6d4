// `stagedtrain eval` as a user types it.
#include <algorithm>
#include <limits>

#include "checkpoint/checkpoint.h"
#include "data/token_file.h"
#include "prepare/prepare.h"
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

// A checkpoint of the tiny run's model, trained on the ids of this tokenizer ("": not recorded).
std::string checkpoint(const test::TinyRun& tiny, const std::string& tokenizer,
                       double first_weight = 0.01) {
  state::TrainingState state = state::fresh(tiny.plan().final_model, 1);
  state.run.tokenizer = tokenizer;
  state.of(state::TensorKind::weights)[0].set(32 * 16,
                                              first_weight);  // of the embedding of a space
  state::save(tiny / "a.h5", state);
  return (tiny / "a.h5").string();
}

std::string validation(const test::TinyRun& tiny) {
  return (tiny / "data/validation.bin").string();
}

test::CommandResult sampled(const std::string& checkpoint, std::vector<std::string> options) {
  std::vector<std::string> arguments = {"eval", checkpoint, "--sample", "5", "--threads", "1"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return test::stagedtrain(arguments);
}

// The same texts, tokenized by a model that folds spaces.
std::string folded_data(const test::TinyRun& tiny) {
  std::string model = test::sentencepiece_model({"light", "\u2581of"});
  model += test::ProtoText().text(3, test::ProtoText().number(4, 1).bytes).bytes;
  test::write_text(tiny / "words.model", model);
  test::write_text(tiny / "spaced.txt", test::made_up_text(20000) + "two  spaces\n");
  data::prepare({.inputs = {(tiny / "spaced.txt").string()},
                 .folder = tiny / "folded",
                 .tokenizer = (tiny / "words.model").string(),
                 .validation = 0.1});
  return (tiny / "folded/validation.bin").string();
}

}  // namespace

TEST_CASE("eval prints the loss with its error, as text and as JSON") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  const auto text = test::stagedtrain({"eval", file, "--data", validation(tiny)});
  INFO(text.err);
  CHECK(text.exit_code == 0);
  CHECK(contains(text.out, " ± "));
  CHECK_FALSE(contains(text.out, "too low"));
  const Json json = parse_json(
      test::stagedtrain({"eval", file, "--data", validation(tiny), "--json"}).out, "stdout");
  CHECK(json["stderr"].get<double>() > 0);
  CHECK(json["windows"].get<int>() > 1);
  CHECK(json["lossy_tokenizer"] == false);
}

TEST_CASE("eval refuses tokens of another tokenizer, and names both") {
  const test::TinyRun tiny;
  const std::string words = test::sentencepiece_model({"light"});
  const auto result =
      test::stagedtrain({"eval", checkpoint(tiny, words), "--data", validation(tiny)});
  check_refused(result, 3, "validation.bin: its tokenizer is bytes, but that of ");
  CHECK(contains(result.err, "a.h5 is the SentencePiece model of "));
}

TEST_CASE("eval of one window says that its error is unknown; JSON has null") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "");
  test::write_text(tiny / "short.bin", std::string(2 * 17, '\0'));
  const std::string data = (tiny / "short.bin").string();
  const auto text = test::stagedtrain({"eval", file, "--data", data});
  INFO(text.err);
  CHECK(text.exit_code == 0);
  CHECK_FALSE(contains(text.out, "±"));
  CHECK(contains(text.out, "1 window: the error of a single one is unknown"));
  const auto result = test::stagedtrain({"eval", file, "--data", data, "--json"});
  CHECK(parse_json(result.out, "stdout")["stderr"].is_null());
}

TEST_CASE("eval of a model that is not finite leaves with 5, whatever it is asked for") {
  const test::TinyRun tiny;
  // Weights that are finite, as every checkpoint's are, and overflow in the first product.
  const double bad = 3e38;
  const std::string file = checkpoint(tiny, "bytes", bad);
  const auto json = GENERATE(false, true);
  std::vector<std::string> arguments = {"eval", file, "--data", validation(tiny)};
  if (json) arguments.push_back("--json");
  check_refused(test::stagedtrain(arguments), 5, "expected a finite number");
  const auto sample = sampled(file, {"--prompt", "the light"});  // may have printed a token by then
  CHECK(sample.exit_code == 5);
  CHECK(contains(sample.err, "not finite"));
}

TEST_CASE("eval says what a file without a header was taken for") {
  const test::TinyRun tiny;
  test::write_text(tiny / "raw.bin", std::string(4000, '\0'));
  const auto result =
      test::stagedtrain({"eval", checkpoint(tiny, "bytes"), "--data", (tiny / "raw.bin").string()});
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, "raw.bin: no header was found; read as ids of 2 bytes each"));
}

TEST_CASE("bits per byte of a tokenizer that does not keep the text are marked") {
  const test::TinyRun tiny;
  const std::string data = folded_data(tiny), file = [&] {
    const data::TokenFile tokens(data);
    arch::ModelConfig model = tiny.plan().final_model;
    model.vocab = tokens.info().vocab;
    state::TrainingState state = state::fresh(model, 1);
    state.run.tokenizer = tokens.info().tokenizer;
    state::save(tiny / "folded.h5", state);
    return (tiny / "folded.h5").string();
  }();
  const auto text = test::stagedtrain({"eval", file, "--data", data});
  INFO(text.err);
  CHECK(text.exit_code == 0);
  CHECK(contains(text.out, "too low: the tokenizer drops or rewrites part of the text"));
  const auto json = test::stagedtrain({"eval", file, "--data", data, "--json"});
  CHECK(parse_json(json.out, "stdout")["lossy_tokenizer"] == true);
}

TEST_CASE("eval refuses numbers of a sample that make no sense") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  for (const char* bad : {"nan", "inf", "-inf", "-0.5", "101", "hot", ""})
    check_refused(sampled(file, {"--temperature", bad}), 2, "--temperature");
  check_refused(sampled(file, {"--temperature", "nan"}), 2,
                "--temperature: found 'nan', expected a number from 0 to 100");
  for (const char* bad : {"-1", "1.5", "nan"})
    check_refused(sampled(file, {"--top-k", bad}), 2,
                  std::string("--top-k: found '") + bad + "', expected a whole number from 0");
  check_refused(sampled(file, {"--sample", "0"}), 2, "--sample");
  for (const char* bad : {"-1", "1.5", "nan", "1e17"})
    check_refused(sampled(file, {"--seed", bad}), 2,
                  std::string("--seed: found '") + bad + "', expected a whole number from 0");
}

TEST_CASE("a sample goes on from its prompt; the tokenizer of the checkpoint is used") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  const auto text = sampled(file, {"--prompt", "the light"});
  INFO(text.err);
  CHECK(text.exit_code == 0);
  CHECK(text.out.starts_with("the light"));
  CHECK(text.out.size() == 9 + 5 + 1);
  CHECK(text.err.empty());
  test::write_text(tiny / "words.model", test::sentencepiece_model({"light"}));
  check_refused(sampled(file, {"--tokenizer", (tiny / "words.model").string()}), 2,
                "--tokenizer: found the SentencePiece model");
}

TEST_CASE("without a known tokenizer ids are printed, and one can be given") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "");
  const auto ids = sampled(file, {"--prompt", "17 4, 200"});
  INFO(ids.err);
  CHECK(ids.exit_code == 0);
  CHECK(ids.out.starts_with("17 4 200 "));
  CHECK(std::count(ids.out.begin(), ids.out.end(), ' ') == 3 + 5 - 1);
  CHECK(contains(ids.err, "does not record its tokenizer, so these are token ids; --tokenizer"));
  const auto given = sampled(file, {"--prompt", "the light", "--tokenizer", "bytes"});
  CHECK(given.exit_code == 0);
  CHECK(given.out.starts_with("the light"));
  const Json json = parse_json(sampled(file, {"--prompt", "3", "--json"}).out, "stdout");
  CHECK(json["sample_unit"] == "ids");
  // Nothing of the prompt is printed before a refusal.
  check_refused(sampled(file, {"--prompt", "the light"}), 2, "--prompt: found 'the'");
  check_refused(sampled(file, {"--prompt", "17 300"}), 2, "the token id 300");
}

TEST_CASE("folders given to eval for the checkpoint or the data are answered with a file") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  std::filesystem::create_directories(tiny / "run/stages");
  std::filesystem::copy_file(file, tiny / "run/stages/full.h5");
  const std::string run = (tiny / "run").string(), data = (tiny / "data").string();
  check_refused(test::stagedtrain({"eval", run, "--data", validation(tiny)}), 3,
                "give the newest checkpoint in it: " + run + "/stages/full.h5");
  check_refused(test::stagedtrain({"eval", file, "--data", data}), 3,
                "give " + data + "/train.bin");
  check_refused(test::stagedtrain({"eval", file, "--data", file}), 3, "is an HDF5 file");
}

TEST_CASE("eval --tasks counts multiple choice and last words, as text and as JSON") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  const std::string tasks = (tiny / "tasks.jsonl").string();
  test::write_text(tasks,
                   "{\"context\":\"One\",\"continuations\":[\" two\",\" b\"],\"gold\":0}\n"
                   "{\"context\":\"One\",\"continuations\":[\" two\",\" b\"],\"gold\":1}\n"
                   "{\"text\":\"One two three\"}\n");
  const auto text = test::stagedtrain({"eval", file, "--tasks", tasks, "--threads", "1"});
  INFO(text.err);
  CHECK(text.exit_code == 0);
  CHECK(contains(text.out, "multiple choice, 2 examples\n  acc          0.5000 ± 0.5000\n"));
  CHECK(contains(text.out, "last word, 1 example\n"));
  const auto result =
      test::stagedtrain({"eval", file, "--tasks", tasks, "--json", "--threads", "1"});
  const Json json = parse_json(result.out, "stdout")["tasks"];
  CHECK(json["multiple_choice"]["acc_norm"] == 0.5);  // one of the two, whichever is likelier
  CHECK(json["multiple_choice"]["acc_bytes"] == 0.5);
  CHECK(json["last_word"]["acc_stderr"].is_null());
  CHECK(json["last_word"]["perplexity"].get<double>() > 1);
  CHECK(json["log_likelihoods"].size() == 3);
  CHECK(json["log_likelihoods"][0] == json["log_likelihoods"][1]);
}

TEST_CASE("eval --tasks refuses bad lines by file and line, and models without a tokenizer") {
  const test::TinyRun tiny;
  const std::string tasks = (tiny / "tasks.jsonl").string();
  test::write_text(tasks, "{\"text\":\"One two\"}\n{\"context\":\"One\"}\n");
  check_refused(test::stagedtrain({"eval", checkpoint(tiny, "bytes"), "--tasks", tasks}), 3,
                "tasks.jsonl:2: expected {\"context\"");
  test::write_text(tasks, "{\"text\":\"One two\"}\n");
  check_refused(test::stagedtrain({"eval", checkpoint(tiny, ""), "--tasks", tasks}), 2,
                "does not record its tokenizer, which tasks need");
  CHECK(test::stagedtrain({"eval", (tiny / "a.h5").string(), "--tasks", tasks, "--tokenizer",
                           "bytes"})
            .exit_code == 0);
}

TEST_CASE("a sample is the same with the key-value cache and without") {
  const test::TinyRun tiny;
  const std::string file = checkpoint(tiny, "bytes");
  for (const char* temperature : {"0", "0.9"}) {
    const auto with = sampled(file, {"--prompt", "Light", "--temperature", temperature});
    const auto without = sampled(
        file, {"--prompt", "Light", "--temperature", temperature, "--kernels", "fused"});
    CHECK(with.exit_code == 0);
    CHECK(with.out == without.out);
  }
}
