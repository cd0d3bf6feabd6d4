// Where a run begins or goes on: the state that its next step is taken from.
#pragma once

#include "train/engine.h"
#include "train/live_state.h"
#include "train/stage.h"

namespace stagedtrain::train {

struct TakenUp {
  LiveState live;
  Path from;  // the checkpoint it goes on from; empty if it begins
  // What is to be said: checkpoints that were passed over, rates that jump. "warning: " in front
  // where it is one.
  std::vector<std::string> words;
};

// The furthest checkpoint of the folder that verifies and is of this plan; else the branch of a
// shorter run that the request names; else the weights of the schedule's `from`, or fresh ones.
// The first rank looks, and the others take the same state, from the same file.
// Damaged checkpoints are set aside once there is another to go on from. Throws Error(input) if the
// folder has checkpoints and none can be used, or if the token files are not those of the run.
TakenUp take_up(const RunRequest& request, const model::ModelOptions& options, RunContext& run);

}  // namespace stagedtrain::train
