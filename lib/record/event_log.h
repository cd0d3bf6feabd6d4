// Writes run.jsonl, the log of a run for programs: one JSON object per line (docs/run-log.md).
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "io/file.h"
#include "plan/run_plan.h"
#include "record/run_data.h"
#include "runlog/tensorboard.h"
#include "state/training_state.h"
#include "text/json_fwd.h"

namespace stagedtrain::train {

// Appends whole lines. A line that a crash cut is ended first, so that it stays the only bad one.
// The file is made by the first line. If somebody moves or removes it meanwhile, a new one is begun
// with the start event of this process. sync() may be called from another thread.
class EventLog {
 public:
  // An empty path: writes nothing, as on all ranks but the first.
  explicit EventLog(Path file);
  void write(const Json& event);
  // From here on the numbers go to TensorBoard too.
  void add_tensorboard(Path folder) { board_.emplace(std::move(folder)); }
  // Returns once the lines written so far are on the disk.
  void sync();

 private:
  void open();
  bool is_in_place() const;

  Path file_;
  std::mutex mutex_;
  std::shared_ptr<OutputFile> out_;
  std::string start_;  // this process's start event
  std::optional<runlog::TensorboardWriter> board_;
};

// What every event of a place begins with: event, stage, step, tokens, flops, seconds.
Json place_event(const char* kind, const state::Progress& progress);

// The first event of every call that trains: the plan and the machine.
struct Machine {
  std::string device, kernels;
  int threads = 0;
};
// data names the token files that are open. Their fingerprints show later which runs saw the same.
Json start_event(const plan::RunPlan& plan, const Machine& machine, const RunData& data = {});
// Returns what a start event says of the process: version, time, device, kernels, threads.
Json process_of(const Json& start_event);

}  // namespace stagedtrain::train
