// One stage, from wherever its state stands to its end: the training loop.
#pragma once

#include "dist/ranks.h"
#include "eval/evaluate.h"
#include "plan/processes.h"
#include "record/event_log.h"
#include "record/progress_line.h"
#include "record/run_data.h"
#include "runfolder/device_state.h"
#include "runfolder/kept_checkpoints.h"
#include "runfolder/run_folder.h"
#include "text/json.h"

namespace stagedtrain::train {

// What all stages of a run share.
struct RunContext {
  const plan::RunPlan& plan;
  const RunFolder& folder;
  const RunData& data;
  EventLog& log;
  ProgressLine& line;
  KeptCheckpoints kept;
  Json process;        // version, time, device, kernels, threads: what stage_end and end say
  dist::Ranks& ranks;  // only the first writes into folder and log
  plan::Sharding sharding = plan::Sharding::none;
  double peak_flops = 0;  // per second, of all ranks together; 0: unknown
};

// Trains until the stage's steps are done or its loss is reached; evaluates, logs and saves on the
// way and at the end (stages/NAME.h5). Throws Error(interrupted) after a save when a stop was
// requested, Error(diverged) naming the last good checkpoint, Error(resource) if a save fails,
// Error(locked) if the folder's lock was lost, Error(input) after a save if a token file has
// changed since it was opened. Returns the last evaluation.
eval::EvalReport run_stage(RunContext& run, DeviceState& live);

}  // namespace stagedtrain::train
