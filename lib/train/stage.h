// One stage, from wherever its state stands to its end: the training loop.
#pragma once

#include "eval/evaluate.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Trains until the stage's steps are done or its loss is reached; evaluates, logs and saves on the
// way and at the end (stages/NAME.h5). Throws Error(interrupted) after a save when a stop was
// requested, Error(diverged) naming the last good checkpoint, Error(resource) if a save fails,
// Error(locked) if the folder's lock was lost, Error(input) after a save if a token file has
// changed since it was opened. Returns the last evaluation.
eval::EvalReport run_stage(RunContext& run, DeviceState& live);

}  // namespace stagedtrain::train
