// Decides whether a checkpoint belongs to a run of a schedule.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "plan/run_plan.h"

namespace stagedtrain::train {

// Returns the reasons against continuing from this state under this plan, as text. Empty if the
// state can have come from a run of the plan. Compares stage, model, precision, seed, position in
// the data, counts of steps, tokens and FLOPs, mask, and the recorded schedule. Lengths of stages,
// and all keys of later stages, may differ, because --replan changes them. Reads no tensor.
std::vector<std::string> mismatches(const state::StateHeader& header, const plan::RunPlan& plan);

// Returns whether the length of the state's stage has changed since the state was saved.
bool length_was_changed(const state::StateHeader& header, const plan::RunPlan& plan);

}  // namespace stagedtrain::train
