// Whether a checkpoint belongs to a schedule.
#pragma once

#include <string>
#include <vector>

#include "plan/run_plan.h"
#include "state/checkpoint.h"

namespace stagedtrain::train {

// What speaks against going on with this state under this plan, in words; empty if the state can
// have come out of a run of it. A file whose checksums hold may still be of another run, or made by
// hand: this is the one place that compares stage, model, precision, seed, place in the data,
// counts of steps and tokens, mask and recorded schedule with the plan. Lengths of stages, and all
// keys of stages that come later, may differ: --replan changes them. Costs no tensor.
std::vector<std::string> mismatches(const state::StateHeader& header, const plan::RunPlan& plan);

// Whether the state's stage was given another length than the plan gives it now.
bool length_was_changed(const state::StateHeader& header, const plan::RunPlan& plan);

}  // namespace stagedtrain::train
