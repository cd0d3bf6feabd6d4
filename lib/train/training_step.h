// What does one optimizer step read and compute, and what does it change in the state?
#pragma once

#include <optional>

#include "optim/gradients.h"
#include "optim/optimizer.h"
#include "optim/optimizer_shards.h"
#include "record/executed_work.h"
#include "replicas/batch_feed.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// A gradient that is known on all ranks, but has not changed the state yet.
struct ComputedGradient {
  double loss = 0, norm = 0;
  std::optional<double> student_loss;  // under the policy teacher
  DeviceBatch batch;
  ExecutedWork work;
};

// Takes the steps of one stage. Call compute() and update() in turns. Both are collective.
class TrainingStep {
 public:
  // The arguments must outlive this object.
  TrainingStep(RunContext& run, const plan::StagePlan& stage, DeviceState& live);

  // Call this once, before the first step.
  void begin();
  // Chooses the windows that the next steps read, if data.select asks for it now. Call this before
  // each step.
  void select_data();
  // Lets more through the mask of a growth, if there is one. Call this before each step.
  void lift_mask();
  // Computes the gradient of the next step. another: whether a step follows, whose batch is then
  // read ahead.
  ComputedGradient compute(bool another);
  // Steps by a finite gradient, and counts the step in the state.
  void update(const ComputedGradient& computed);

  OptimizerShards& shards() { return shards_; }

 private:
  void freeze_what_is_not_trained(const arch::IdleParts& idle = {});
  BatchShape shape_at(std::int64_t step) const;
  std::optional<double> loss_of_student();

  RunContext& run_;
  const schedule::Schedule& schedule_;
  const plan::StagePlan& stage_;
  const double policy_flops_;  // of each step of the stage
  DeviceState& live_;
  state::Progress& progress_;
  BatchFeed feed_;
  StepGradient gradient_;
  Optimizer optimizer_;
  OptimizerShards shards_;
};

}  // namespace stagedtrain::train
