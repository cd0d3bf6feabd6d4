// Whole tiny runs with a moving average of the weights.
#include "eval/evaluate.h"
#include "faulty_run.h"
#include "runfolder/device_state.h"
#include "support/catch.h"
#include "text/json.h"

using namespace stagedtrain;
using state::TensorKind;
using state::TrainingState;
using test::contains;
using test::Edits;

namespace {

const std::string kEma = "ema={decay: 0.75}";

// Tensor by tensor, all numbers of a kind.
std::vector<double> numbers(const TrainingState& state, TensorKind kind) {
  std::vector<double> all;
  for (const state::HostTensor& tensor : state.of(kind))
    for (std::int64_t i = 0; i < tensor.count(); ++i) all.push_back(tensor.at(i));
  return all;
}

}  // namespace

TEST_CASE("an average follows the weights of each step and is saved with them") {
  const test::TinyRun tiny;
  const int every = GENERATE(1, 2);
  test::run_in(tiny, "run",
               {fmt::format("ema={{decay: 0.75, every: {}}}", every), "checkpoint.every=1",
                "checkpoint.keep=12"});
  std::vector<double> average = numbers(state::load(test::step_file(tiny, 1)), TensorKind::ema);
  for (int step = 2; step <= 5; ++step) {
    const TrainingState now = state::load(test::step_file(tiny, step));
    const std::vector<double> weights = numbers(now, TensorKind::weights);
    if (step % every == 0)
      for (std::size_t i = 0; i < average.size(); ++i)
        average[i] = 0.75 * average[i] + 0.25 * weights[i];
    const std::vector<double> saved = numbers(now, TensorKind::ema);
    double most = 0;
    for (std::size_t i = 0; i < saved.size(); ++i)
      most = std::max(most, std::abs(saved[i] - average[i]));
    CHECK(most <= 1e-6);
    CHECK(saved != weights);
  }
}

TEST_CASE("a run with an average trains, grows and evaluates the weights as one without") {
  const test::TinyRun tiny;
  test::run_in(tiny, "run", {});
  const std::vector<Json> plain = test::events(tiny, "evaluate");
  std::filesystem::rename(tiny / "run", tiny / "plain");
  test::run_in(tiny, "run", {kEma});
  const TrainingState a = state::load(tiny / "plain/stages/full.h5"),
                      b = state::load(tiny / "run/stages/full.h5");
  CHECK(numbers(a, TensorKind::weights) == numbers(b, TensorKind::weights));
  CHECK_FALSE(a.has_ema());
  CHECK(b.has_ema());
  const std::vector<Json> averaged = test::events(tiny, "evaluate");
  REQUIRE(averaged.size() == plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(averaged[i]["loss"] == plain[i]["loss"]);
    CHECK(averaged[i]["ema_loss"].get<double>() > 0);
    CHECK(averaged[i]["ema_loss"] != averaged[i]["loss"]);
    CHECK(averaged[i]["ema_stderr"].get<double>() > 0);
    CHECK_FALSE(plain[i].contains("ema_loss"));
  }
}

TEST_CASE("the loss that is logged of an average is that of a model with its weights") {
  const test::TinyRun tiny;
  test::run_in(tiny, "run", {kEma});
  train::DeviceState live = train::load_live(tiny / "run/stages/full.h5", {});
  const data::EvaluationSet set(
      std::make_shared<const data::TokenFile>(tiny / "data/validation.bin"), 16, 256, 256);
  const double plain = eval::evaluate(*live.model, set, 4).loss;
  live.model->params().weights().copy_(live.model->params().ema());
  live.model->weights_changed();
  const Json end = test::events(tiny, "stage_end").back();
  CHECK(end["loss"].get<double>() == plain);
  CHECK(end["ema_loss"].get<double>() == eval::evaluate(*live.model, set, 4).loss);
}

TEST_CASE("stopped and resumed, a run with an average ends with the same bits") {
  const test::TinyRun tiny;
  const Edits edits = {GENERATE("precision=fp32", "precision=bf16", "precision=fp64"),
                       GENERATE("ema={decay: 0.75}", "ema={decay: 0.9, every: 3}")};
  test::run_in(tiny, "whole", edits);
  const int line = GENERATE(4, 9, 11, 14);
  CAPTURE(line, edits);
  test::run_until_line(tiny, line, edits);
  CHECK(test::run_in(tiny, "run", edits).done);
  CHECK(state::load(tiny / "run/stages/full.h5").has_ema());
  CHECK(test::same_end(tiny));
}

TEST_CASE("a run resumes only with the average that it began with") {
  const test::TinyRun tiny;
  test::run_until_line(tiny, 5, {});
  CHECK(
      contains(test::refusal(ErrorKind::usage, [&] { test::run_in(tiny, "run", {kEma}); }), "ema"));
}

TEST_CASE("a run that starts from a checkpoint begins its own average with the weights") {
  const test::TinyRun tiny;
  test::run_in(tiny, "first", {kEma});
  const std::string from = "from=" + (tiny / "first/stages/full.h5").string();
  const std::string stages = "stages=[{name: more, for: 2}]";
  // The run ends before the average moves for the first time.
  test::run_in(tiny, "run", {from, stages, "ema={decay: 0.5, every: 5}"});
  const TrainingState first = state::load(tiny / "first/stages/full.h5"),
                      more = state::load(tiny / "run/stages/more.h5");
  CHECK(numbers(more, TensorKind::ema) == numbers(first, TensorKind::weights));
  test::run_in(tiny, "without", {from, stages});
  CHECK_FALSE(state::load(tiny / "without/stages/more.h5").has_ema());
}

TEST_CASE("under a mask that rises, an average is grown, resumed and goes on") {
  const test::TinyRun tiny;
  const Edits edits = {kEma, "stages.full.grow=[{operator: mask, layers: 2, steps: 3}]",
                       "checkpoint.every=1"};
  test::run_in(tiny, "whole", edits);
  test::run_until_line(tiny, GENERATE(13, 16), edits);
  CHECK(test::run_in(tiny, "run", edits).done);
  CHECK(test::same_end(tiny));
}
