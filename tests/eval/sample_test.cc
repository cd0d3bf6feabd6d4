// How the next token is chosen.
#include "eval/sample.h"

#include <cmath>
#include <limits>
#include <map>

#include "arch/architectures.h"
#include "reference/decoder.h"
#include "state/training_state.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using eval::choose_token;

TEST_CASE("temperature 0 takes the likeliest token, the first of equals") {
  CHECK(choose_token({1, 3, 2}, {.temperature = 0}, 0.999) == 1);
  CHECK(choose_token({3, 1, 3}, {.temperature = 0}, 0.999) == 0);
}

TEST_CASE("tokens come as often as the softmax of their logits says") {
  const std::vector<double> logits = {0, std::log(2.0), std::log(5.0)};
  std::map<std::int64_t, int> counts;
  constexpr int kDraws = 8000;
  for (int i = 0; i < kDraws; ++i)
    ++counts[choose_token(logits, {.temperature = 1}, (i + 0.5) / kDraws)];
  CHECK(counts[0] == kDraws / 8);
  CHECK(counts[1] == kDraws / 4);
  CHECK(counts[2] == kDraws * 5 / 8);
}

TEST_CASE("temperature sharpens and top-k cuts off") {
  const std::vector<double> logits = {0, std::log(2.0), std::log(5.0)};
  std::map<std::int64_t, int> sharp, cut;
  for (int i = 0; i < 1000; ++i) {
    ++sharp[choose_token(logits, {.temperature = 0.5}, (i + 0.5) / 1000)];
    ++cut[choose_token(logits, {.temperature = 1, .top_k = 2}, (i + 0.5) / 1000)];
  }
  CHECK(sharp[2] == Approx(1000.0 * 25 / 30).margin(1));
  CHECK(cut[0] == 0);
  CHECK(cut[1] == Approx(1000.0 * 2 / 7).margin(1));
}

TEST_CASE("numbers at the ends of [0, 1) choose tokens that exist") {
  CHECK(choose_token({0, 0}, {.temperature = 1}, 0) == 0);
  CHECK(choose_token({0, 0}, {.temperature = 1}, std::nextafter(1.0, 0.0)) == 1);
  CHECK(choose_token({-1e300, 5}, {.temperature = 1e-3, .top_k = 100}, 0.5) == 1);
}

TEST_CASE("logits that are not finite are refused wherever they stand") {
  const arch::ModelConfig config = test::tiny_model();
  const std::int64_t bad = GENERATE(0, 5, 31);
  state::TrainingState state = state::fresh(config, 1);
  // The head is tied to the embedding: a row of it makes one logit.
  const auto embedding = static_cast<std::size_t>(arch::param_table(config).index("embed.token"));
  for (std::int64_t x = 0; x < config.width; ++x)
    state.of(state::TensorKind::weights)[embedding].set(bad * config.width + x,
                                                        std::numeric_limits<double>::quiet_NaN());
  const auto model = model::make_model(config, {});
  model->params().load(state);
  model->weights_changed();
  std::vector<std::int64_t> ids;
  const auto said = test::refusal(ErrorKind::diverged, [&] {
    eval::sample(*model, {1, 2}, {.tokens = 3, .temperature = 1},
                 [&](std::int64_t id) { ids.push_back(id); });
  });
  CHECK(test::contains(said, "logits are not finite"));
  CHECK(ids.empty());
}

TEST_CASE("a sample is as long as asked for, beyond the context too, and the seed decides it") {
  const arch::ModelConfig config = test::tiny_model();
  const auto model = model::make_model(config, {});
  model->params().load(state::fresh(config, 1));
  model->weights_changed();
  const auto write = [&](std::uint64_t seed) {
    std::vector<std::int64_t> ids;
    eval::sample(*model, {1, 2}, {.tokens = 3 * config.context, .temperature = 1, .seed = seed},
                 [&](std::int64_t id) { ids.push_back(id); });
    return ids;
  };
  const auto first = write(1);
  CHECK(first.size() == static_cast<std::size_t>(3 * config.context));
  for (const std::int64_t id : first) CHECK((id >= 0 && id < config.vocab));
  CHECK(write(1) == first);
  CHECK(write(2) != first);
}

TEST_CASE("a sample is the same with the key-value cache and without, beyond the context too") {
  for (const char* architecture : {"gpt2", "llama"}) {
    arch::ModelConfig config = test::tiny_model();
    config.architecture = architecture;
    config = arch::resolved(config);
    std::vector<std::vector<std::int64_t>> samples;
    for (const auto kernels : {model::Kernels::reference, model::Kernels::fused}) {
      const auto model = model::make_model(config, {.kernels = kernels});
      model->params().load(state::fresh(config, 1));
      model->weights_changed();
      REQUIRE((model::make_decoder(*model) != nullptr) == (kernels == model::Kernels::reference));
      for (const double temperature : {0.0, 1.0})
        eval::sample(*model, {1, 2, 3},
                     {.tokens = 2 * config.context, .temperature = temperature, .seed = 5},
                     [&, &ids = samples.emplace_back()](std::int64_t id) { ids.push_back(id); });
    }
    CHECK(samples[0] == samples[2]);
    CHECK(samples[1] == samples[3]);
    CHECK(samples[1] != samples[0]);
  }
}

TEST_CASE("of many tokens the same one is chosen as if all were put in order") {
  std::vector<double> logits(5000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<double>(i * 7919 % 5000);
  // In order: 4999, 4998, ... with weights falling by exp(-1 / temperature).
  for (const std::int64_t top_k : {0, 3000, 100}) {
    const double temperature = 400, ratio = std::exp(-1 / temperature);
    const double kept = top_k ? static_cast<double>(top_k) : 5000;
    const double all = (1 - std::pow(ratio, kept)) / (1 - ratio);
    for (const int place : {0, 63, 64, 99, 1023, 1024, 2900}) {
      if (top_k && place >= top_k) continue;
      const double before = (1 - std::pow(ratio, place)) / (1 - ratio);
      const double uniform = (before + 0.5 * std::pow(ratio, place)) / all;
      const std::int64_t id =
          choose_token(logits, {.temperature = temperature, .top_k = top_k}, uniform);
      CHECK(logits[static_cast<std::size_t>(id)] == 4999 - place);
    }
  }
}
