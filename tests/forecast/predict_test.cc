// What a run says of itself before its first step, on one process and on several.
#include "forecast/predict.h"

#include <cmath>

#include "support/catch.h"
#include "support/schedules.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;

namespace {

RunPlan plan_with(const std::string& machine) {
  return resolve(test::two_stages({"batch={sequences: 16, micro: 4}", "machine=" + machine}));
}

double seconds_of(const RunPlan& plan, const Processes& processes = {},
                  const Measurements& known = {}, double threads = 0) {
  return predict(plan, find_planning_law("besiroglu"), {}, known, processes, threads).seconds.value;
}

// Every stage, measured on one process with two threads.
Measurements measured_on_two_threads(const RunPlan& plan) {
  Measurements known;
  for (const StagePlan& stage : plan.stages) {
    Measurement one{.key = measurement_key(plan, stage), .seconds_per_token = 1e-4};
    one.key.threads = 2;
    known.put(one);
  }
  return known;
}

}  // namespace

TEST_CASE("the predicted time of several processes is that of the plan for them") {
  const RunPlan plan = plan_with("{flops: 1G, bandwidth: 1M}");
  const Processes four = {.count = 4, .sharding = Sharding::optimizer};
  CHECK(seconds_of(plan, four) == run_cost(plan, {}, four).total.training_seconds);
  CHECK(seconds_of(plan, four) < seconds_of(plan));
  CHECK(seconds_of(plan, four) > seconds_of(plan) / 4);
}

TEST_CASE("no time of several processes is predicted if that of sending is not known") {
  const RunPlan plan = plan_with("{flops: 1G}");
  CHECK(std::isnan(seconds_of(plan, {.count = 2})));
  CHECK(seconds_of(plan) > 0);
}

TEST_CASE("a measurement counts for several processes with as many threads each") {
  const RunPlan plan = plan_with("{bandwidth: 1G}");
  const Measurements known = measured_on_two_threads(plan);
  CHECK(seconds_of(plan, {}, known) > 0);
  CHECK(seconds_of(plan, {.count = 2}, known, 2) > 0);
  CHECK(std::isnan(seconds_of(plan, {.count = 2}, known, 1)));
  CHECK(std::isnan(seconds_of(plan, {.count = 2}, known)));
}

TEST_CASE("why there is no prediction can follow a because") {
  const auto why_not = [](const RunPlan& plan) {
    return predict(plan, find_planning_law("besiroglu"), {}, {}).why_not;
  };
  CHECK(why_not(resolve(test::two_stages())).starts_with("the published law besiroglu does not"));
  CHECK(why_not(resolve(test::gpt2_124m())).empty());
}
