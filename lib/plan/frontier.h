// The runs of `train --frontier`: other sizes than the final model, from scratch.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct SizeRuns {
  std::string name;              // arch::size_text, which names the runs' folder
  std::vector<RunPlan> budgets;  // as resolve_scratch has them, shortest first
};

// One entry for each size of scratch.frontier, or by default for the sizes of the staged run's
// earlier stages, half and twice the final model's layers. Budgets in % are of the FLOPs of the
// staged run. Throws Error(usage) at the place in the schedule: a size that is the final model, or
// is no model, or a budget that is less than a step.
std::vector<SizeRuns> resolve_frontier(const RunPlan& staged);

}  // namespace stagedtrain::plan
