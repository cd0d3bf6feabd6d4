// Which runs does `train --frontier` make? Sizes other than the final model, from scratch.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct SizeRuns {
  std::string name;              // from arch::size_text; also names the runs' folder
  std::vector<RunPlan> budgets;  // in the form of resolve_scratch, shortest first
};

// Returns one entry for each size of scratch.frontier; by default for the sizes of the staged run's
// earlier stages, and for half and twice the final model's layers, or, if it has routed layers, for
// the same model without them. Budgets in % are shares of the staged run's FLOPs. Throws
// Error(usage) at the position in the schedule for a size that is the final model, occurs twice or
// is no valid model, for a budget of less than a step, and for empty lists.
std::vector<SizeRuns> resolve_frontier(const RunPlan& staged);

}  // namespace stagedtrain::plan
