// Trials of learning rates on the last layers: which rates, what they train and cost, what is
// written.
#include "jobs/rate_trials.h"

#include "plan/stage_policy.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("rates around the schedule's own are tried on the last layers of the final model") {
  const plan::RunPlan plan = plan::resolve(test::two_stages({"model.tied=false"}));
  const auto all = plan::rate_candidates(plan, 50, 2, 5);
  REQUIRE(all.size() == 5);
  const double rates[] = {3e-3, 1.5e-3, 6e-3, 7.5e-4, 1.2e-2};
  for (std::size_t i = 0; i < 5; ++i) {
    const plan::RunPlan run = plan::resolve(all[i].schedule);
    CHECK(run.schedule.lr.peak == Approx(rates[i]));
    REQUIRE(run.stages.size() == 1);
    CHECK(run.stages[0].model == plan.final_model);
    CHECK(run.stages[0].steps == 50);
    CHECK(plan::policy_key(run.stages[0]) == "train_last");
    CHECK(run.decayed);
    CHECK(run.warmup_steps == 5);
  }
  const plan::RateTrialsCost cost = plan::rate_trials_cost(all);
  CHECK(cost.flops == Approx(5 * plan::resolve(all[0].schedule).flops));
  const double block = 12 * 128 * 128 + 4 * 64 * 128, head = 256 * 128;
  CHECK(cost.share == Approx((4 * block / 3 + 2 * block + head) / (6 * block + head)));
  // All layers: a trial is a run of the whole model.
  CHECK(plan::rate_trials_cost(plan::rate_candidates(plan, 50, 6, 1)).share == 1);
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { plan::rate_candidates(plan, 50, 7, 1); }),
                 "--train-last 7: the final model has 6 layers"));
}

TEST_CASE("the files of a trial load again, and none has a rate that no schedule accepts") {
  const auto all = plan::rate_candidates(plan::resolve(test::two_stages({"lr.peak=4"})), 20, 1, 5);
  REQUIRE(all.size() == 4);  // 4, 2, 8 and 1, but not 16
  const auto files = plan::trial_files(all, "some folder", "stagedtrain");
  REQUIRE(files.size() == 5);
  CHECK_FALSE(contains(files[4].text, "shared"));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(files[i].name == all[i].name + ".yaml");
    const schedule::Schedule s = schedule::parse(files[i].text, files[i].name);
    CHECK(s.lr.peak == all[i].schedule.lr.peak);
    CHECK(s.stages[0].policies.train_last == 1);
    CHECK(contains(files[4].text, "'some folder/" + files[i].name + "'"));
  }
}
