// Everything that `stagedtrain plan SCHEDULE` prints: the plan, its comparisons, costs and losses.
#pragma once

#include "forecast/forecast.h"
#include "forecast/frontier.h"

namespace stagedtrain::plan {

struct FullPlan {
  RunPlan plan;
  std::vector<RunPlan> scratch;
  std::vector<SizeRuns> sizes;  // only those that the schedule names; the default ones may not fit
  RunCost cost;
  Outlook outlook;
  // The floor of this plan's saving of FLOPs by other published laws.
  struct Other {
    std::string law;
    double floor = 0;
  };
  std::vector<Other> others;
};

// Computes costs, comparisons and the forecast of a plan. Throws as resolve_scratch,
// resolve_frontier, run_cost and forecast do.
FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer = {},
                        const Measurements& known = {}, const Processes& processes = {});

std::string to_text(const FullPlan& full);
Json to_json(const FullPlan& full);

}  // namespace stagedtrain::plan
