// What is told of each step: the running means, the progress line, and the log's line when it is due.
#pragma once

#include <optional>

#include "law/curve_points.h"
#include "train/progress_line.h"
#include "train/stage.h"

namespace stagedtrain::train {

// Of one stage. A line's loss is the mean over the steps since the line before, or since the stage
// began. The sum is kept in the state, so that a run that was stopped and resumed writes the same
// lines, to the bit, as one that was not.
class StepLog {
 public:
  StepLog(RunContext& run, const plan::StagePlan& stage, state::Progress& progress)
      : run_(run), stage_(stage), progress_(progress), logged_(progress) {}
  // After a step, which progress counts already. layers_run: those that ran in it, mean over its
  // tokens. Returns what the log's line tells, if one was due.
  std::optional<law::LoggedStep> tell(double loss, double norm, double layers_run);

 private:
  void write(double mean_loss, const StepNumbers& numbers, double layers_run);

  RunContext& run_;
  const plan::StagePlan& stage_;
  state::Progress& progress_;
  state::Progress logged_;  // as of the last line of the log
};

}  // namespace stagedtrain::train
