// Runs that select their training data: resumed to the last bit, plain with a share of 1, and with
// the cost of every selection in every total.
#include <cmath>

#include "lengths/resolve_files.h"
#include "runlog/run_log.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::contains;
using test::Edits;

namespace {

// One layer for 6 steps, then two for 8.
Edits edits_with(const std::string& select, const Edits& more = {}) {
  Edits edits = {"stages.full.for=8"};
  if (!select.empty()) edits.push_back("data.select=" + select);
  edits.insert(edits.end(), more.begin(), more.end());
  return edits;
}

}  // namespace

TEST_CASE("stopped anywhere and run again, a run that selects its data ends with the same bits") {
  const test::TinyRun tiny;
  const auto [select, more] = GENERATE(
      std::pair("{share: 0.1, every: 3 steps, partition: 40}", "batch.micro=2"),
      std::pair("{share: 0.05, after: 4 steps, every: 2 steps, refresh: 5 steps, partition: 32}",
                "batch.micro=0"),
      std::pair("{share: 0.3, after: 7 steps, every: 1 steps, partition: 7}", "ema={decay: 0.9}"));
  const Edits edits = edits_with(select, {more});
  test::run_to_end(tiny, "whole", edits);
  const state::TrainingState whole = test::end_of(tiny, "whole");
  REQUIRE(whole.data.selection);
  for (const int line : {2, 7, 12, 17}) {
    CAPTURE(select, line);
    const std::string name = "stopped" + std::to_string(line);
    {
      const test::StopAtLine stop(line);
      test::refusal(ErrorKind::interrupted,
                    [&] { train::run(tiny.plan(edits), {.out = tiny / name}); });
    }
    test::run_to_end(tiny, name, edits);
    const state::TrainingState resumed = test::end_of(tiny, name);
    CHECK(test::difference(whole, resumed) == "");
    CHECK(whole.data == resumed.data);
    CHECK(whole.progress == resumed.progress);
  }
}

TEST_CASE("a share of 1 is the plain run to the bit, and a smaller share another run") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "plain", edits_with(""));
  test::run_to_end(tiny, "all", edits_with("{share: 1}"));
  test::run_to_end(tiny, "half", edits_with("{share: 0.5}"));
  CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, "all")) == "");
  CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, "half")) != "");
  CHECK_FALSE(test::end_of(tiny, "all").data.selection);
  // Before the first selection, the run is the plain one.
  test::run_to_end(tiny, "late", edits_with("{share: 0.5, after: 6 steps}"));
  CHECK(test::difference(test::end_of(tiny, "plain", "small"),
                         test::end_of(tiny, "late", "small")) == "");
  CHECK(test::difference(test::end_of(tiny, "plain"), test::end_of(tiny, "late")) != "");
}

TEST_CASE("what selections cost is in the plan, the state, the log and its totals") {
  const test::TinyRun tiny;
  const Edits edits = edits_with("{share: 0.1, after: 2 steps, every: 3 steps, refresh: 7 steps}");
  test::run_to_end(tiny, "run", edits);
  const plan::RunPlan plan = tiny.plan(edits);
  CHECK(plan.stages[0].selection.passes == 1);
  CHECK(plan.stages[1].selection.passes == 1);
  const double cost = plan.stages[0].selection.flops + plan.stages[1].selection.flops;
  CHECK(plan.flops == Approx(plan.stages[0].flops + plan.stages[1].flops + cost));
  const state::TrainingState end = test::end_of(tiny, "run");
  CHECK(end.progress.flops == Approx(plan.flops).epsilon(1e-12));
  CHECK(end.progress.tokens == plan.tokens);

  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  std::vector<double> steps;
  double flops = 0, passes = 0;
  for (const runlog::Selection& one : log.selections) {
    steps.push_back(one.at.step);
    flops += one.flops;
    passes += one.passes;
    CHECK(one.windows == static_cast<double>(plan.stages[0].selection.windows));
    CHECK(one.selected == std::round(one.windows / 10));
    CHECK(one.seconds > 0);
  }
  CHECK(steps == std::vector<double>{2, 5, 8, 9, 12});
  CHECK(passes == 2);
  CHECK(flops == Approx(cost));
  REQUIRE(end.data.selection);
  CHECK(end.data.selection->generation == 4);
  CHECK(end.data.selection->features_step == 9);
  CHECK(end.data.selection->step == 12);
}

TEST_CASE("a state that selected is refused for a plan that selects otherwise") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "run", edits_with("{share: 0.1}"));
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    train::run(tiny.plan(edits_with("{share: 0.2}")), {.out = tiny / "run"});
  });
  INFO(said);
  CHECK(contains(said, "data.select.share"));
}
