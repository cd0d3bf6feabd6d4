// Means and errors over windows, against windows scored one by one.
#include "eval/evaluate.h"

#include <cmath>

#include "base/signals.h"
#include "state/training_state.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

namespace {

std::unique_ptr<model::Model> tiny_running_model(const arch::ModelConfig& config) {
  auto model = model::make_model(config, {.precision = model::Precision::fp64});
  model->params().load(state::fresh(config, 1, state::DType::f64));
  model->weights_changed();
  return model;
}

}  // namespace

TEST_CASE("loss and standard error are those of the windows, however many at a time") {
  const test::TinyRun tiny;
  const arch::ModelConfig config = tiny.plan().final_model;
  const auto model = tiny_running_model(config);
  const auto file = std::make_shared<const data::TokenFile>(tiny / "data/validation.bin");
  const data::EvaluationSet set(file, config.context, config.vocab, 20 * config.context);
  std::vector<double> each;
  for (std::int64_t i = 0; i < set.windows(); ++i)
    each.push_back(model->row_losses(model::to_device(set.batch(i, 1), at::kCPU)).item<double>());
  double mean = 0, squares = 0;
  for (double loss : each) mean += loss / static_cast<double>(each.size());
  for (double loss : each) squares += (loss - mean) * (loss - mean);
  const double error = std::sqrt(squares / 19 / 20);
  for (const std::int64_t rows : {1, 3, 20, 64}) {
    const eval::EvalReport report = eval::evaluate(*model, set, rows);
    CHECK(report.windows == 20);
    CHECK(report.tokens == 20 * config.context);
    CHECK(report.loss == Approx(mean).epsilon(1e-12));
    CHECK(report.standard_error == Approx(error).epsilon(1e-9));
  }
}

TEST_CASE(
    "the error of a single window is unknown, not zero, and two windows are taken if there are") {
  const test::TinyRun tiny;
  const arch::ModelConfig config = tiny.plan().final_model;
  const auto model = tiny_running_model(config);
  const auto file = std::make_shared<const data::TokenFile>(tiny / "data/validation.bin");
  const data::EvaluationSet two(file, config.context, config.vocab, 1);
  CHECK(two.windows() == 2);
  CHECK(eval::evaluate(*model, two, 8).standard_error > 0);
  test::write_text(tiny / "short.bin", std::string(2 * 17, '\0'));
  const auto short_file = std::make_shared<const data::TokenFile>(tiny / "short.bin");
  const data::EvaluationSet one(short_file, config.context, config.vocab, 1000);
  REQUIRE(one.windows() == 1);
  const eval::EvalReport report = eval::evaluate(*model, one, 8);
  CHECK(std::isfinite(report.loss));
  CHECK(std::isnan(report.standard_error));
}

TEST_CASE("an untrained model is as unsure as its vocabulary, and perplexity says so") {
  eval::EvalReport report;
  report.loss = std::log(256.0);
  CHECK(report.perplexity() == Approx(256));
  CHECK(report.bits_per_byte(1) == Approx(8));
  CHECK(report.bits_per_byte(4) == Approx(2));
  CHECK(report.bits_per_byte(0) == 0);
}

TEST_CASE("an evaluation stops when it is asked to") {
  const test::TinyRun tiny;
  const arch::ModelConfig config = tiny.plan().final_model;
  const auto model = tiny_running_model(config);
  const auto file = std::make_shared<const data::TokenFile>(tiny / "data/validation.bin");
  const data::EvaluationSet set(file, config.context, config.vocab, 64);
  reset_stop_request(15);
  test::refusal(ErrorKind::interrupted, [&] { eval::evaluate(*model, set, 4); });
  reset_stop_request();
}
