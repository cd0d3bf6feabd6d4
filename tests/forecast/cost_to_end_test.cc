// The cost until a run has the loss of its end, by laws that differ.
#include "forecast/cost_to_end.h"

#include <cmath>

#include "plan/step_sums.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

TEST_CASE("a run costs what its last stage must be longer or shorter by") {
  const RunPlan plan = resolve(test::two_stages());
  const RunCost cost = run_cost(plan);
  const auto planned = static_cast<double>(plan.stages.back().tokens);
  CHECK_FALSE(cost_to_end(plan, cost, {}));
  const auto same = cost_to_end(plan, cost, {planned, planned});
  REQUIRE(same);
  CHECK(same->flops[0] == Approx(plan.flops));
  CHECK(same->flops[1] == Approx(plan.flops));
  const auto half = cost_to_end(plan, cost, {planned / 2, planned / 2});
  const double per_token = flops_per_token(plan.schedule, plan.stages.back().model);
  CHECK(half->flops[0] == Approx(plan.flops - planned / 2 * per_token));
}

TEST_CASE("a loss below the floors of a fifth of the laws may never come") {
  const RunPlan plan = resolve(test::two_stages());
  const auto planned = static_cast<double>(plan.stages.back().tokens);
  std::vector<double> tokens(8, planned);
  tokens.resize(10, INFINITY);
  const auto found = cost_to_end(plan, run_cost(plan), tokens);
  CHECK(std::isinf(found->flops[1]));
  CHECK(contains(to_text(*found), " FLOPs or more, and perhaps never"));
}
