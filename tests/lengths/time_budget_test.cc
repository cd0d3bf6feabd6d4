// Time budgets on a clock that is made up.
#include "lengths/time_budget.h"

#include <cmath>

#include "plan/decay.h"
#include "support/catch.h"
#include "support/schedules.h"

using namespace stagedtrain;

namespace {

plan::RunPlan planned(std::vector<std::string> edits) { return plan::resolve(test::two_stages(edits)); }

struct Ran {
  std::int64_t steps = 0;
  double seconds = 0, last_rate = 0;
  std::int64_t decided_at = 0;
};

// Runs a plan on a clock on which the steps of stage i take `pace[i]` seconds. Stopped after
// `stop` steps, it continues in a new process.
Ran ran(const plan::RunPlan& plan, std::vector<double> pace, std::int64_t stop = 0) {
  Ran run;
  std::int64_t total = plan.total_steps;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const plan::StagePlan& stage = plan.stages[i];
    std::int64_t done = 0;
    std::optional<plan::TimeBudget> budget;
    while (done < stage.steps && run.steps < total) {
      if (!budget || run.steps == stop) budget.emplace(plan, stage, run.steps, done, total);
      run.last_rate = plan::learning_rate(plan, stage, run.steps, done, total);
      ++run.steps, ++done;
      run.seconds += pace[i];
      if (const auto length = budget->after_step(run.steps, run.seconds)) {
        CHECK(run.decided_at == 0);
        CHECK(*length > run.steps);
        CHECK(*length <= plan.total_steps);
        run.decided_at = run.steps;
        total = *length;
      }
    }
  }
  CHECK(plan::ends_decayed(plan, run.steps, run.last_rate));
  return run;
}

}  // namespace

TEST_CASE("a run with a time budget ends on time, even if its decay should have begun already") {
  // 2,100 steps of 0.1 s leave 90 s: 300 steps of 0.3 s, 2,400 in all. The decay of 480 steps would
  // begin in the first stage.
  const auto plan = planned({"budget={time: 300s}"});
  const Ran run = ran(plan, {0.1, 0.3});
  CHECK(run.seconds == Approx(300).margin(0.31));
  CHECK(run.steps == Approx(2400).margin(1));
  CHECK(run.decided_at == plan.stages[1].first_step + plan::TimeBudget::kFirstSteps +
                              plan::TimeBudget::kTimedSteps);
}

TEST_CASE("the length is decided when the decay has to begin, and not before") {
  // With 500 s, 2,100 + 900 steps take 480 s: nothing is decided. With 400 s, 2,733 fit.
  CHECK(ran(planned({"budget={time: 500s}"}), {0.1, 0.3}).decided_at == 0);
  const Ran run = ran(planned({"budget={time: 400s}"}), {0.1, 0.3});
  CHECK(run.steps == Approx(2733).margin(1));
  CHECK(run.decided_at == Approx(0.8 * 2733).margin(1));
  CHECK(run.seconds <= 400);
  // A decay in steps.
  const Ran fixed = ran(planned({"budget={time: 400s}", "lr.decay=100 steps"}), {0.1, 0.3});
  CHECK(fixed.steps == Approx(2733).margin(1));
  CHECK(fixed.decided_at == Approx(2633).margin(1));
}

TEST_CASE("a budget that is over before the last stage still leaves half of the decay") {
  const Ran run = ran(planned({"budget={time: 10s}"}), {0.1, 0.3});
  const double begin = 2100 + 23;  // the steps that measure the speed
  CHECK(run.decided_at == begin);
  CHECK(run.steps == Approx(begin / 0.9).margin(1));
}

TEST_CASE("a decided length stays when a run is resumed at another speed") {
  const auto plan = planned({"budget={time: 400s}"});
  const Ran whole = ran(plan, {0.1, 0.3});
  CHECK(ran(plan, {0.1, 0.3}, whole.decided_at + 50).steps == whole.steps);
  CHECK(ran(plan, {0.1, 0.3}, whole.decided_at - 50).steps == whole.steps);
}

TEST_CASE("curves that fall from the start decide as soon as the speed is known") {
  for (const std::string curve : {"cosine", "linear", "triangle"}) {
    const auto plan = planned({"stages=[{name: whole, for: 3000}]", "budget={time: 100s}",
                               "lr.curve=" + curve, "lr.warmup=10 steps"});
    const Ran run = ran(plan, {0.1});
    INFO(curve);
    CHECK(run.decided_at == plan::TimeBudget::kFirstSteps + plan::TimeBudget::kTimedSteps);
    CHECK(run.seconds == Approx(100).margin(0.11));
  }
}
