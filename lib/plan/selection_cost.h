// What does choosing the training data cost a run (policies/window_selection.h)?
#pragma once

#include <string>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Returns the windows of an epoch; 0 if the file is not known or too short for one.
std::int64_t windows_of(const DataFacts& facts, std::int64_t context);
// Fills in a stage's part of the cost, and moves `newest` to the stage's end. Throws Error(usage)
// for more windows than a checkpoint can hold the gains of.
void add_selection_cost(const RunPlan& plan, SelectionPlace& newest, StagePlan& stage);
// Returns the FLOPs of a stage's selections, or "?" without the token file.
std::string selection_flops_text(const StagePlan& stage);

}  // namespace stagedtrain::plan
