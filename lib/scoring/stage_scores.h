// Which validation losses and samples does a stage's model give while it trains?
#pragma once

#include "data/batch_stream.h"
#include "eval/evaluate.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Evaluates and samples from the model of one stage, and logs the results. Calls are collective.
class StageScores {
 public:
  // The arguments must outlive this object.
  StageScores(RunContext& run, const plan::StagePlan& stage, DeviceState& live);

  // Evaluates the weights, and their average if the schedule has one; writes an `evaluate` event.
  eval::EvalReport evaluate();
  // Samples at most once after a step, and not at all if the schedule has no prompts.
  void sample();
  // Writes an event of this kind with the numbers of the last evaluation.
  void log_report(const char* kind, const eval::EvalReport& report);

 private:
  RunContext& run_;
  DeviceState& live_;
  const state::Progress& progress_;
  const bool has_average_;
  data::EvaluationSet validation_;
  eval::EvalReport average_report_;  // the last evaluation of the average, with ema
  std::int64_t sampled_ = 0;         // the step of the last samples
};

}  // namespace stagedtrain::train
