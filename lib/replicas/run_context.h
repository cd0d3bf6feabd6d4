// What do all stages of a run share, on every rank?
#pragma once

#include "dist/ranks.h"
#include "plan/processes.h"
#include "record/event_log.h"
#include "record/progress_line.h"
#include "record/run_data.h"
#include "runfolder/device_state.h"
#include "runfolder/kept_checkpoints.h"
#include "runfolder/run_folder.h"
#include "text/json.h"

namespace stagedtrain::train {

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

}  // namespace stagedtrain::train
