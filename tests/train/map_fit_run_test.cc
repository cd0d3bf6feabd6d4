// Runs whose growth is learned: its loss, its costs, and resuming across it.
#include <algorithm>
#include <cmath>

#include "learned/learned_growth.h"
#include "lengths/resolve_files.h"
#include "runlog/run_log.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

const std::string kLigo =
    "stages.full.grow=[{operator: ligo, layers: 2, ffn: 96, fit: {steps: 7, lr: 0.01, sequences: "
    "3}}]";

std::vector<std::string> edits(const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {kLigo, "model.ffn=96", "stages.small.model={layers: 1, ffn: 64}"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

train::RunResult run_fitted(const test::TinyRun& tiny, const std::string& name,
                            const std::vector<std::string>& with = edits()) {
  return train::run(tiny.plan(with), {.out = tiny / name});
}

state::TrainingState timeless(const Path& file) {
  state::TrainingState state = state::load(file);
  state.progress.seconds = 0;
  for (state::LineageEntry& entry : state.lineage) entry.source_crc.clear();
  return state;
}

std::vector<Json> events(const Path& log, const std::string& kind) {
  std::vector<Json> found;
  for (const std::string& line : split(test::read_text(log), '\n'))
    if (!line.empty() && Json::parse(line)["event"] == kind) found.push_back(Json::parse(line));
  return found;
}

}  // namespace

TEST_CASE("a fit lowers the loss, and its tokens, FLOPs and seconds count in every total") {
  const test::TinyRun tiny;
  const train::RunResult result = run_fitted(tiny, "run");
  CHECK(result.done);
  const plan::RunPlan plan = tiny.plan(edits());
  const std::int64_t tokens = 7 * 3 * 16;
  CHECK(plan.stages[1].fit.tokens == tokens);
  CHECK(plan.tokens == 12 * 4 * 16 + tokens);
  CHECK(plan.flops ==
        Approx(plan.stages[0].flops + plan.stages[1].flops + plan.stages[1].fit.flops));

  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  REQUIRE(log.fits.size() == 1);
  const runlog::Fit& fit = log.fits[0];
  CHECK(fit.loss_after < fit.loss_before);
  CHECK(fit.stage == "full");
  CHECK(fit.steps == 7);
  CHECK(fit.tokens == tokens);
  CHECK(fit.flops == plan.stages[1].fit.flops);
  CHECK(fit.seconds > 0);
  CHECK(fit.at.seconds == Approx(log.stage_ends[0].at.seconds + fit.seconds));
  REQUIRE(log.growths.size() == 1);
  CHECK(log.growths[0].loss_after == Approx(fit.loss_after).epsilon(1e-6));
  CHECK(log.growths[0].at.tokens == 6 * 4 * 16 + tokens);

  const state::Progress& end = result.stages[1].progress;
  CHECK(end.tokens == plan.tokens);
  CHECK(end.flops == Approx(plan.flops));
  const state::TrainingState state = state::load(tiny / "run/stages/full.h5");
  CHECK(state.data.index == 12 * 4 + 7 * 3);
}

TEST_CASE("more steps of a fit lower the loss further") {
  const test::TinyRun tiny;
  double last = HUGE_VAL;
  for (const char* steps : {"5", "20", "80"}) {
    const std::string name = std::string("run-") + steps;
    std::vector<std::string> with = edits();
    with[0] = std::string("stages.full.grow=[{operator: ligo, layers: 2, ffn: 96, fit: {steps: ") +
              steps + ", lr: 0.01, sequences: 16}}]";
    run_fitted(tiny, name, with);
    const runlog::Run log = runlog::read_log(tiny / name / "run.jsonl", name);
    REQUIRE(log.fits.size() == 1);
    CHECK(log.fits[0].loss_after < last);
    last = log.fits[0].loss_after;
  }
}

TEST_CASE("the FLOPs of a fit are those of the model and of the products with its maps") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan(edits());
  const grow::GrowthStep& step = plan.stages[1].growth->steps[0];
  // Both layers: 16 x 16 q, k, v, o mixed from one layer; up [64, 16] and down [16, 64] grow to 96
  // hidden units; biases and norms likewise: q, k, v, o, down 16 numbers, up 64, four of norms.
  const double mixes = 2 * 4.0 * (4 * 16 * 16 + 2 * 64 * 16 + 5 * 16 + 64 + 4 * 16);
  const double products = 2 * 3 * 2.0 * 64 * 96 * (16 + 16 + 1);
  CHECK(grow::map_flops(step) == Approx(mixes + products).epsilon(1e-12));
  CHECK(plan.stages[1].fit.flops ==
        Approx(7 * (mixes + products) + 7 * 3 * 16 * arch::flops_per_token(step.to)));
}

TEST_CASE("stopped anywhere around a fit and run again, a run ends with the same bits") {
  const test::TinyRun tiny;
  const std::vector<std::string> all = edits({GENERATE("dropout=0", "dropout=0.2")});
  run_fitted(tiny, "whole", all);
  // Lines of the log: start, six steps with evaluations and a save, stage_end, fit, grow, steps.
  const int line = GENERATE(10, 11, 12, 13, 14, 15, 17);
  CAPTURE(line);
  {
    const test::StopAtLine stop(line);
    test::refusal(ErrorKind::interrupted, [&] { run_fitted(tiny, "stopped", all); });
  }
  CHECK(run_fitted(tiny, "stopped", all).done);
  CHECK(test::difference(timeless(tiny / "whole/stages/full.h5"),
                         timeless(tiny / "stopped/stages/full.h5")) == "");
}

TEST_CASE("a run that begins by growing a checkpoint fits its maps on the run's data") {
  const test::TinyRun tiny;
  run_fitted(tiny, "source");
  const std::vector<std::string> with = {
      "from=" + (tiny / "source/stages/small.h5").string(), "model.ffn=96",
      "stages=[{name: full, grow: [{operator: ligo, layers: 2, ffn: 96, fit: {steps: 5, lr: "
      "0.01}}], for: 6}]"};
  const train::RunResult result = train::run(
      plan::resolve_files(schedule::parse(tiny.yaml(), "tiny.yaml", with)), {.out = tiny / "run"});
  CHECK(result.done);
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  REQUIRE(log.fits.size() == 1);
  CHECK(log.fits[0].loss_after < log.fits[0].loss_before);
  CHECK(log.end->at.tokens == 6 * 4 * 16 + 5 * 4 * 16 + 6 * 4 * 16);
  CHECK(events(tiny / "run/run.jsonl", "start").size() == 1);
}
