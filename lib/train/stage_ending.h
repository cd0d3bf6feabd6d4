// Decides at evaluations whether a stage ends before its steps are done (`until`, `budget`).
#pragma once

#include <optional>

#include "lengths/slope_watch.h"
#include "eval/evaluate.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Serves one stage. progress must outlive it.
class StageEnding {
 public:
  // With until.slope, the first rank reads the log of the stage so far.
  StageEnding(RunContext& run, const plan::StagePlan& stage, state::Progress& progress);
  // Call this with each line of the log, on the first rank.
  void add(const scaling::LoggedStep& line) {
    if (slope_) slope_->add(line);
  }
  // Collective. Returns whether the stage has reached what ends it early, as the first rank
  // decides, which then writes an `until` event.
  bool is_reached(const eval::EvalReport& report);
  // Sets the run's length, which the time budget has decided on all ranks, and logs it.
  void decide(std::int64_t total_steps);

 private:
  bool is_reached_here(const eval::EvalReport& report);
  void tell_why(const Json& numbers, const std::string& why);

  RunContext& run_;
  const plan::StagePlan& stage_;
  state::Progress& progress_;
  std::optional<plan::SlopeWatch> slope_;
};

}  // namespace stagedtrain::train
