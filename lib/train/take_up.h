// Finds where a run starts or continues: the state before its next step.
#pragma once

#include "engine/engine.h"
#include "replicas/run_context.h"
#include "runfolder/device_state.h"

namespace stagedtrain::train {

struct TakenUp {
  DeviceState live;
  Path from;  // the checkpoint it continues from; empty for a new run
  // Messages for the user, such as skipped checkpoints and jumps of the learning rate. Warnings
  // start with "warning: ".
  std::vector<std::string> messages;
  std::optional<Json> fit = {};  // the event of a fit that a new run began with (map_fit.h)
};

// Returns the furthest checkpoint of the folder that verifies and belongs to this plan; else the
// branch of a shorter run that the request names; else the weights of the schedule's `from`, or
// fresh ones. The first rank chooses, and the others load the same file. Damaged checkpoints are
// set aside once a good one has been found. Throws Error(input) if the folder has checkpoints but
// none can be used, or if the token files are not those of the run.
TakenUp take_up(const RunRequest& request, const model::ModelOptions& options, RunContext& run);

}  // namespace stagedtrain::train
