// run.jsonl: one JSON object a line (docs/run-log.md), the numbers of the progress line for
// machines.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "plan/run_plan.h"
#include "state/training_state.h"
#include "train/engine.h"
#include "train/run_data.h"

namespace stagedtrain::train {

// Appends whole lines. A line that a crash cut is ended first, so that it stays the only bad one.
class EventLog {
 public:
  explicit EventLog(const Path& file);
  void write(const Json& event);

 private:
  OutputFile out_;
};

// What every event of a place begins with: event, stage, step, tokens, flops, seconds.
Json place_event(const char* kind, const state::Progress& progress);

// The first event of every call that trains: the plan and the machine.
struct Machine {
  std::string device, kernels;
  int threads = 0;
};
// data: the token files, where they are open: their fingerprints say later which runs saw the same.
Json start_event(const plan::RunPlan& plan, const Machine& machine, const RunData& data = {});

}  // namespace stagedtrain::train
