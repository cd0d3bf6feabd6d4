// The rate along a run whose length becomes known on the way, and whether its end had decayed.
#include "plan/decay.h"

#include "support/catch.h"
#include "support/schedules.h"

using namespace stagedtrain;
using plan::RunPlan;
using Edits = std::vector<std::string>;

namespace {

RunPlan planned(const Edits& edits) { return plan::resolve(test::two_stages(edits)); }

}  // namespace

TEST_CASE("a decay in % is of the run that is, one in steps is as given") {
  const RunPlan percent = planned({"lr.decay=20%"}), steps = planned({"lr.decay=600"});
  const auto rate = [](const RunPlan& p, std::int64_t step, std::int64_t total) {
    return plan::learning_rate(p, p.stages[1], step, 500, total);
  };
  for (std::int64_t step : {2300, 2400, 2500, 2999})
    CHECK(rate(percent, step, 3000) == rate(steps, step, 3000));
  // The first stage ended 2,000 steps early: 20% of 1,000 are 200.
  CHECK(rate(percent, 800, 1000) == 3e-3);
  CHECK(rate(percent, 900, 1000) == Approx(1.5e-3));
  CHECK(rate(steps, 700, 1000) == Approx(1.5e-3));
}

TEST_CASE("a re-warm-up in % is of the run that is") {
  const RunPlan p = planned({"lr.rewarm=10%"});
  CHECK(p.stages[1].rewarm_steps == 300);
  CHECK(plan::learning_rate(p, p.stages[1], 500, 49, 1000) == Approx(1.5e-3));
  CHECK(plan::learning_rate(p, p.stages[1], 500, 100, 1000) == 3e-3);
  CHECK(plan::learning_rate(p, p.stages[0], 500, 49, 1000) == 3e-3);
}

TEST_CASE("an end is decayed if the last step's rate is that of its curve's last step") {
  const RunPlan p = planned({"lr.decay=600"});
  const double end = plan::learning_rate(p, p.stages[1], 2999, 899, 3000);
  CHECK(end == Approx(3e-3 / 600));
  CHECK(p.decayed);
  CHECK(plan::ends_decayed(p, 3000, end));
  CHECK(plan::ends_decayed(p, 3000, 0));
  CHECK_FALSE(plan::ends_decayed(p, 3000, 3e-3));
  // Cut short by a new plan: 2,500 steps were made under the curve of 3,000.
  CHECK_FALSE(plan::ends_decayed(p, 2500, plan::learning_rate(p, p.stages[1], 2499, 399, 3000)));
  CHECK_FALSE(plan::ends_decayed(p, 2000, plan::learning_rate(p, p.stages[1], 1999, 10, 3000)));
}

TEST_CASE("a step at the peak in the second half of the decay spoils the end") {
  const RunPlan p = planned({"lr.decay=600"});
  const plan::StagePlan& stage = p.stages[1];
  CHECK(plan::fits_decay(p, stage, 2000, 3e-3, 3000));
  CHECK(plan::fits_decay(p, stage, 2500, 3e-3, 3000));  // the first half
  CHECK_FALSE(plan::fits_decay(p, stage, 2800, 3e-3, 3000));
  for (std::int64_t step : {2400, 2699, 2700, 2999})
    CHECK(plan::fits_decay(p, stage, step, plan::learning_rate(p, stage, step, 900, 3000), 3000));
  CHECK_FALSE(plan::fits_decay(p, stage, 2000, 3e-3, 2001));
}

TEST_CASE("a rate that never falls is never decayed, and the plan warns") {
  for (const char* edit : {"lr.curve=constant", "lr.warmup=3000", "lr.warmup=100%",
                           "lr.warmup=2999", "lr.decay=0", "lr.decay=1", "lr.floor=1"}) {
    CAPTURE(edit);
    const RunPlan p = planned({edit});
    CHECK_FALSE(p.decayed);
    CHECK_FALSE(p.warnings.empty());
    CHECK_FALSE(plan::ends_decayed(p, 3000, 0));
  }
  for (const char* curve : {"lr.curve=linear", "lr.curve=cosine", "lr.curve=wsd"}) {
    CHECK(planned({curve}).decayed);
    CHECK_FALSE(planned({curve, "lr.warmup=2999"}).decayed);
  }
}
