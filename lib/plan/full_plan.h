// All that `stagedtrain plan SCHEDULE` says: the plan, its comparisons, its costs, its losses.
#pragma once

#include "plan/forecast.h"

namespace stagedtrain::plan {

struct FullPlan {
  RunPlan plan;
  std::vector<RunPlan> scratch;
  RunCost cost;
  Outlook outlook;
  // What other published laws would have this very plan save of the FLOPs, at the floor.
  struct Other {
    std::string law;
    double floor = 0;
  };
  std::vector<Other> others;
};

// Throws as resolve_scratch, run_cost and forecast do.
FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer = {},
                        const Measurements& known = {});

std::string to_text(const FullPlan& full);
Json to_json(const FullPlan& full);

}  // namespace stagedtrain::plan
