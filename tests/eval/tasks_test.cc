// Tasks: read strictly, scored as a direct computation from the logits scores them.
#include "eval/tasks.h"

#include <cmath>

#include "arch/architectures.h"
#include "state/training_state.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::unique_ptr<model::Model> byte_model(model::Kernels kernels) {
  const arch::ModelConfig config = arch::resolved({.architecture = "llama",
                                                   .layers = 2,
                                                   .width = 16,
                                                   .heads = 4,
                                                   .kv_heads = 2,
                                                   .vocab = 256,
                                                   .context = 24});
  auto running = model::make_model(config, {.kernels = kernels});
  running->params().load(state::fresh(config, 3));
  at::manual_seed(1);
  running->params().weights().add_(0.3 * at::randn(running->params().weights().sizes()));
  running->weights_changed();
  return running;
}

std::vector<eval::TaskExample> read(const std::string& text) {
  const test::TempDir folder;
  test::write_text(folder / "t.jsonl", text);
  return eval::read_task_file(folder / "t.jsonl");
}
// As the inside of a JSON string.
std::string escaped(const std::string& text) {
  const std::string quoted = Json(text).dump();
  return quoted.substr(1, quoted.size() - 2);
}
std::string refused(const std::string& text) {
  return test::refusal(ErrorKind::input, [&] { read(text); });
}

// The plain definition: logits of the whole row, the log-probability of each byte of the end.
double likelihood(model::Model& model, const std::string& context, const std::string& end) {
  std::string all = context + end;
  const auto most = static_cast<std::size_t>(model.config().context) + 1;
  if (all.size() > most) all = all.substr(all.size() - most);
  const auto size = static_cast<std::int64_t>(all.size());
  const at::Tensor ids = at::empty({1, size}, at::kLong);
  for (std::int64_t i = 0; i < size; ++i)
    ids.data_ptr<std::int64_t>()[i] =
        static_cast<unsigned char>(all[static_cast<std::size_t>(i)]);
  const at::Tensor logits = model.logits(ids.narrow(1, 0, size - 1))[0].to(at::kDouble);
  double sum = 0;
  for (std::int64_t i = size - static_cast<std::int64_t>(end.size()); i < size; ++i)
    sum += at::log_softmax(logits[i - 1], 0)[ids[0][i].item<std::int64_t>()].item<double>();
  return sum;
}

}  // namespace

TEST_CASE("log-likelihoods and shares are those of the plain definition") {
  const std::string text = "{\"context\":\"One two \",\"continuations\":[\"three\",\"four f\",\"x\"],\"gold\":1}\n"
                           "{\"context\":\"One two\",\"continuations\":[\" \u00e9\u00e9\u00e9\",\" abcd\"],\"gold\":0}\n"
                           "\n"
                           "{\"context\":\"a text that is longer than the context is\",\"continuations\":[\" it\",\" b\"],\"gold\":1}\n"
                           "{\"context\":\"One\",\"continuations\":[\" two\"]}\n"
                           "{\"text\":\"One two three\"}\n";
  const auto examples = read(text);
  REQUIRE(examples.size() == 5);
  CHECK(examples[0].context == "One two");
  CHECK(examples[0].continuations[0] == " three");
  CHECK(examples[4].context == "One two");
  CHECK(examples[4].continuations == std::vector<std::string>{" three"});
  const auto tokenizer = data::Tokenizer::from_spec("bytes", "");
  for (const auto kernels : {model::Kernels::reference, model::Kernels::fused}) {
    const auto running = byte_model(kernels);
    const eval::TaskReport report = eval::score_tasks(*running, *tokenizer, examples);
    CHECK(report.choices == 3);
    CHECK(report.last_words == 2);
    double acc = 0, norm = 0, bytes = 0, last = 0;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      std::size_t best = 0, best_norm = 0, best_bytes = 0;
      std::vector<double> values, by_character, by_byte;
      for (const std::string& end : examples[i].continuations) {
        values.push_back(likelihood(*running, examples[i].context, end));
        const bool accents = contains(end, "\u00e9");
        by_byte.push_back(values.back() / static_cast<double>(end.size() - 1));
        by_character.push_back(accents ? values.back() / 3 : by_byte.back());
        const std::size_t here = values.size() - 1;
        CHECK(report.log_likelihoods[i][here] == Approx(values[here]).epsilon(1e-5));
        if (values[here] > values[best]) best = here;
        if (by_character[here] > by_character[best_norm]) best_norm = here;
        if (by_byte[here] > by_byte[best_bytes]) best_bytes = here;
      }
      if (!examples[i].is_choice()) {
        last += values[0];
        continue;
      }
      acc += best == examples[i].gold;
      norm += best_norm == examples[i].gold;
      bytes += best_bytes == examples[i].gold;
    }
    CHECK(report.accuracy.value == Approx(acc / 3));
    CHECK(report.by_characters.value == Approx(norm / 3));
    CHECK(report.by_bytes.value == Approx(bytes / 3));
    const double p = acc / 3;
    CHECK(report.accuracy.standard_error == Approx(std::sqrt(p * (1 - p) / 2)));
    CHECK(report.perplexity == Approx(std::exp(-last / 2)).epsilon(1e-5));
  }
}

TEST_CASE("a last word counts where every token is the model's first choice") {
  const auto running = byte_model(model::Kernels::reference);
  const auto tokenizer = data::Tokenizer::from_spec("bytes", "");
  // What the model itself would write after "One", two bytes of it.
  std::string context = "One", end;
  for (int i = 0; i < 2; ++i) {
    const std::string all = context + end;
    const at::Tensor ids = at::empty({1, static_cast<std::int64_t>(all.size())}, at::kLong);
    for (std::size_t at = 0; at < all.size(); ++at)
      ids.data_ptr<std::int64_t>()[at] = static_cast<unsigned char>(all[at]);
    end += static_cast<char>(running->logits(ids)[0][-1].argmax().item<std::int64_t>());
  }
  std::string wrong = end;
  wrong[0] = static_cast<char>(wrong[0] ^ 1);
  const auto exact = [&](const std::string& continuation) {
    const std::vector<eval::TaskExample> one = {{context, {continuation}, 0, "t:1"}};
    return eval::score_tasks(*running, *tokenizer, one).exact.value;
  };
  CHECK(exact(end) == 1);
  CHECK(exact(wrong) == 0);
}

TEST_CASE("white space at the end of a context is scored with the choice but not in its length") {
  for (const std::string spaces : {" ", "\n\n", "\v", "\u00a0", "\u3000 ", "\u2028\t"}) {
    const auto examples = read("{\"context\": \"Q:" + escaped(spaces) +
                               "\", \"continuations\": [\" a\", \"bc\"], \"gold\": 1}\n");
    CHECK(examples[0].context == "Q:");
    CHECK(examples[0].continuations == std::vector<std::string>{spaces + " a", spaces + "bc"});
    CHECK(examples[0].moved == spaces.size());
  }
  const auto running = byte_model(model::Kernels::reference);
  const auto tokenizer = data::Tokenizer::from_spec("bytes", "");
  std::string lines;
  for (char letter = 'a'; letter <= 'z'; ++letter)
    lines += fmt::format(
        R"({{"context": "Q:\n\n\n\n", "continuations": ["{}", "{}bcd"], "gold": 1}})" "\n", letter, letter);
  const auto report = eval::score_tasks(*running, *tokenizer, read(lines));
  double hits = 0, with_newlines = 0;
  for (const auto& values : report.log_likelihoods) {
    hits += values[1] / 4 > values[0];
    with_newlines += values[1] / 8 > values[0] / 5;
  }
  CHECK(report.by_characters.value == Approx(hits / 26));
  CHECK(report.by_bytes.value == Approx(hits / 26));
  CHECK(hits != with_newlines);
}

TEST_CASE("lines that are no examples are named by file and line") {
  const std::string good = "{\"context\":\"a\",\"continuations\":[\" b\",\" c\"],\"gold\":1}\n\n";
  CHECK(contains(refused(good + "{"), "t.jsonl:3: not valid JSON"));
  CHECK(contains(refused(good + "[]"), "t.jsonl:3: found array"));
  CHECK(contains(refused(good + "{\"context\":\"a\"}"), "t.jsonl:3: expected {\"context\""));
  CHECK(contains(refused("{\"context\":\"a\",\"continuations\":[]}"), "t.jsonl:1: expected"));
  CHECK(contains(refused("{\"context\":\"a\",\"continuations\":[\"b\",7],\"gold\":0}"),
                 "a continuation is number, expected a string"));
  CHECK(contains(refused("{\"context\":\"a\",\"continuations\":[\"b\",\" \"],\"gold\":0}"),
                 "a continuation is empty"));
  for (const char* gold : {"2", "-1", "1.0", "\"1\"", "null"})
    CHECK(contains(refused(std::string("{\"context\":\"a\",\"continuations\":[\"b\",\"c\"],\"gold\":") +
                           gold + "}"),
                   "expected a whole number from 0 to 1"));
  CHECK(contains(refused("{\"context\":\"a\",\"continuations\":[\"b\",\"c\"]}"), "gold is missing"));
  CHECK(contains(refused("{\"context\":\" \\n\",\"continuations\":[\"b\"]}"), "context is empty"));
  CHECK(contains(refused("{\"text\":\"one\"}"), "fewer than two words"));
  CHECK(contains(refused("\n\n"), "holds no examples"));
  const auto running = byte_model(model::Kernels::reference);
  const auto tokenizer = data::Tokenizer::from_spec("bytes", "");
  const auto too_long = test::refusal(ErrorKind::input, [&] {
    eval::score_tasks(*running, *tokenizer, {{"a", {std::string(25, 'x')}, 0, "t.jsonl:7"}});
  });
  CHECK(contains(too_long, "t.jsonl:7: a continuation has 25 tokens, expected 1 to 24"));
}
