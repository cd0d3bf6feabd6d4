// All that `stagedtrain plan SCHEDULE` says: the plan, its comparisons, its costs, its losses.
#pragma once

#include "plan/forecast.h"
#include "plan/frontier.h"

namespace stagedtrain::plan {

struct FullPlan {
  RunPlan plan;
  std::vector<RunPlan> scratch;
  std::vector<SizeRuns> sizes;  // if the schedule names some; those by default may not fit it
  RunCost cost;
  Outlook outlook;
  // What other published laws would have this very plan save of the FLOPs, at the floor.
  struct Other {
    std::string law;
    double floor = 0;
  };
  std::vector<Other> others;
};

// Throws as resolve_scratch, resolve_frontier, run_cost and forecast do.
FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer = {},
                        const Measurements& known = {}, const Processes& processes = {});

std::string to_text(const FullPlan& full);
Json to_json(const FullPlan& full);

}  // namespace stagedtrain::plan
