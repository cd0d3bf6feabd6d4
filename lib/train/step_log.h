// Reports each step: running means, the progress line, and a line of run.jsonl when one is due.
#pragma once

#include <optional>

#include "record/progress_line.h"
#include "replicas/run_context.h"
#include "scaling/curve_points.h"
#include "train/training_step.h"

namespace stagedtrain::train {

// Serves one stage. The loss of a line is the mean over the steps since the previous line, or since
// the stage began. Checkpoints contain the partial sum, so a run that is stopped and resumed writes
// bitwise the same means as an uninterrupted one.
class StepLog {
 public:
  StepLog(RunContext& run, const plan::StagePlan& stage, state::Progress& progress)
      : run_(run), stage_(stage), progress_(progress), logged_(progress) {}
  // Call after each step, once `progress` counts it. Returns the line that was written to the log,
  // if one was due.
  std::optional<scaling::LoggedStep> add(const ComputedGradient& computed,
                                         const dist::CommunicationTime& communication);

 private:
  void write(double mean_loss, const StepNumbers& numbers, const ComputedGradient& computed);
  void add_communication(Json& event) const;

  RunContext& run_;
  const plan::StagePlan& stage_;
  state::Progress& progress_;
  state::Progress logged_;                 // progress at the last line of the log
  dist::CommunicationTime communication_;  // since then
};

}  // namespace stagedtrain::train
