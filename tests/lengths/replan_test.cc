// Tests of lengths/replan.h on made logs whose curve is known.
#include "lengths/replan.h"

#include <cmath>

#include "lengths/resolve_files.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

constexpr double kStepTokens = 2048;

schedule::Schedule asked(std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"plan.law=kaplan", "plan.scratch=6000", "lr.warmup=10"});
  return test::two_stages(more);
}

// 1.5 + 6 (step)^-0.3, logged every 10 steps: slope -0.3 (1 - 1.5 / L).
runlog::Run made(const schedule::Schedule& s, double steps, bool ended = false) {
  const plan::RunPlan plan = plan::resolve(s);
  runlog::Run run;
  run.name = "runs/a";
  run.role = "staged";
  for (const plan::StagePlan& stage : plan.stages)
    run.stages.push_back({.name = stage.name,
                          .model = stage.model,
                          .params = static_cast<double>(stage.params.total)});
  for (double step = 10; step <= steps; step += 10)
    run.steps.push_back(
        {{step, step * kStepTokens, 1, 1}, "shallow", 1.5 + 6 * std::pow(step - 5, -0.3), 1, 3e-3});
  if (ended)
    for (const char* name : {"shallow", "full"})
      run.stage_ends.push_back({.at = run.steps.back().at, .stage = name});
  return run;
}
double slope_at(double step) {
  const double power = 6 * std::pow(step - 5, -0.3);
  return -0.3 * power / (1.5 + power);
}

plan::Replan planned(const schedule::Schedule& s, double steps) {
  return plan::replan(made(s, steps), s, {}, {}, {});
}

}  // namespace

TEST_CASE("the growth comes where the fitted slope reaches that of the law's best growth") {
  const plan::Replan early = planned(asked(), 800);
  REQUIRE(early.growth);
  CHECK(early.stage == "shallow");
  CHECK(early.reading.slope == Approx(slope_at(800)).epsilon(0.02));
  if (!early.growth->now) {
    CHECK(slope_at(early.growth->step) == Approx(early.growth->slope).epsilon(0.03));
    CHECK(early.growth->low <= early.growth->step * 1.001);
  }
  CHECK(early.schedule.stages[0].length.amount == std::round(early.growth->step));
  CHECK(early.schedule.stages[1].length.unit == DurationUnit::steps);
  CHECK(contains(plan::to_text(early), "--replan"));
}

TEST_CASE("where the slope is past, it says to grow now") {
  const schedule::Schedule s = asked({"stages.shallow.for=200000", "lr.decay=1%"});
  const plan::Replan late = planned(s, 150000);
  REQUIRE(late.growth);
  CHECK(late.growth->now);
  CHECK(late.growth->step == 150000);
  CHECK(contains(plan::to_text(late), "grow now"));
}

TEST_CASE("under mixing the growth waits for the last moment, whatever the slope") {
  const plan::Replan r = planned(asked({"plan.transfer=mixing", "plan.mixing=300"}), 800);
  REQUIRE(r.growth);
  CHECK(r.growth->step == 6000 - 1200 - 300);
  CHECK(r.growth->low == r.growth->step);
  CHECK(contains(r.warnings.at(0), "later than 3 times"));
}

TEST_CASE("later stages keep their lengths unless the aim is named") {
  const schedule::Schedule s = test::two_stages({"plan.law=kaplan", "lr.warmup=10"});
  CHECK(planned(s, 800).schedule.stages[1].length.amount == 900);
}

TEST_CASE("a run that has ended, and a log without a fit, are refused") {
  const schedule::Schedule s = asked();
  CHECK(contains(
      test::refusal(ErrorKind::usage, [&] { plan::replan(made(s, 800, true), s, {}, {}, {}); }),
      "has ended"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { planned(s, 100); }), "at least 30"));
}
