// Runs that select their training data: resumed to the last bit, plain with a share of 1, and with
// the cost of every selection in every total.
#include <cmath>

#include "base/signals.h"
#include "checkpoint/checkpoint.h"
#include "lengths/resolve_files.h"
#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "support/tiny_state.h"
#include "train/run.h"

using namespace stagedtrain;
using test::contains;

namespace {

using Edits = std::vector<std::string>;

// One layer for 6 steps, then two for 8.
Edits edits_with(const std::string& select, const Edits& more = {}) {
  Edits edits = {"stages.full.for=8"};
  if (!select.empty()) edits.push_back("data.select=" + select);
  edits.insert(edits.end(), more.begin(), more.end());
  return edits;
}

void run_in(const test::TinyRun& tiny, const std::string& name, const Edits& edits) {
  REQUIRE(train::run(tiny.plan(edits), {.out = tiny / name}).done);
}

// A state without what the clock, the folder's name and the schedule's text put into it.
state::TrainingState end_of(const test::TinyRun& tiny, const std::string& name,
                            const char* stage = "full") {
  state::TrainingState state = state::load(tiny / name / "stages" / (std::string(stage) + ".h5"));
  state.progress.seconds = 0;
  state.run.schedule.clear();
  for (state::LineageEntry& entry : state.lineage) entry.source_crc.clear();
  return state;
}

// While it lives, the line'th line of a log asks the run to stop.
class StopAtLine {
 public:
  explicit StopAtLine(int line)
      : fault_([line, seen = 0](FileOperation operation, const Path& path) mutable {
          const bool counts = operation == FileOperation::write &&
                              path.string().find("run.jsonl") != std::string::npos;
          if (counts && ++seen == line) reset_stop_request(15);
          return 0;
        }) {}
  ~StopAtLine() { reset_stop_request(); }

 private:
  test::Fault fault_;
};

}  // namespace

TEST_CASE("stopped anywhere and run again, a run that selects its data ends with the same bits") {
  const test::TinyRun tiny;
  const auto [select, more] = GENERATE(
      std::pair("{share: 0.1, every: 3 steps, partition: 40}", "batch.micro=2"),
      std::pair("{share: 0.05, after: 4 steps, every: 2 steps, refresh: 5 steps, partition: 32}",
                "batch.micro=0"),
      std::pair("{share: 0.3, after: 7 steps, every: 1 steps, partition: 7}", "ema={decay: 0.9}"));
  const Edits edits = edits_with(select, {more});
  run_in(tiny, "whole", edits);
  const state::TrainingState whole = end_of(tiny, "whole");
  REQUIRE(whole.data.selection);
  for (const int line : {2, 7, 12, 17}) {
    CAPTURE(select, line);
    const std::string name = "stopped" + std::to_string(line);
    {
      const StopAtLine stop(line);
      test::refusal(ErrorKind::interrupted,
                    [&] { train::run(tiny.plan(edits), {.out = tiny / name}); });
    }
    run_in(tiny, name, edits);
    const state::TrainingState resumed = end_of(tiny, name);
    CHECK(test::difference(whole, resumed) == "");
    CHECK(whole.data == resumed.data);
    CHECK(whole.progress == resumed.progress);
  }
}

TEST_CASE("a share of 1 is the plain run to the bit, and a smaller share another run") {
  const test::TinyRun tiny;
  run_in(tiny, "plain", edits_with(""));
  run_in(tiny, "all", edits_with("{share: 1}"));
  run_in(tiny, "half", edits_with("{share: 0.5}"));
  CHECK(test::difference(end_of(tiny, "plain"), end_of(tiny, "all")) == "");
  CHECK(test::difference(end_of(tiny, "plain"), end_of(tiny, "half")) != "");
  CHECK_FALSE(end_of(tiny, "all").data.selection);
  // Before the first selection, the run is the plain one.
  run_in(tiny, "late", edits_with("{share: 0.5, after: 6 steps}"));
  CHECK(test::difference(end_of(tiny, "plain", "small"), end_of(tiny, "late", "small")) == "");
  CHECK(test::difference(end_of(tiny, "plain"), end_of(tiny, "late")) != "");
}

TEST_CASE("what selections cost is in the plan, the state, the log and its totals") {
  const test::TinyRun tiny;
  const Edits edits = edits_with("{share: 0.1, after: 2 steps, every: 3 steps, refresh: 7 steps}");
  run_in(tiny, "run", edits);
  const plan::RunPlan plan = tiny.plan(edits);
  CHECK(plan.stages[0].selection.passes == 1);
  CHECK(plan.stages[1].selection.passes == 1);
  const double cost = plan.stages[0].selection.flops + plan.stages[1].selection.flops;
  CHECK(plan.flops == Approx(plan.stages[0].flops + plan.stages[1].flops + cost));
  const state::TrainingState end = end_of(tiny, "run");
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
  run_in(tiny, "run", edits_with("{share: 0.1}"));
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    train::run(tiny.plan(edits_with("{share: 0.2}")), {.out = tiny / "run"});
  });
  INFO(said);
  CHECK(contains(said, "data.select.share"));
}
