// What a stage with adapters (policies/adapters.cc) does besides what every stage does.
#pragma once

#include "arch/idle_parts.h"
#include "optim/optimizer.h"
#include "plan/run_plan.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Begins the adapters of a stage before its first step, if it has any and they have not begun
// already: a run may be stopped between this and the step.
void begin_adapters_of(RunContext& run, const plan::StagePlan& stage, DeviceState& live);
// Makes the gradients of the adapters of those of the model. Returns what the optimizer then leaves
// as it is, and treats the model's tensors so.
arch::IdleParts pull_back(const plan::StagePlan& stage, DeviceState& live);
// Returns the norm of the model's gradient and that of the adapters together. adapters may be null.
at::Tensor norm_with_adapters(const at::Tensor& norm, Adapters* adapters);
// Makes the optimizer's step of the adapters, after that of the model, and merges them.
void step_adapters(DeviceState& live, Optimizer& optimizer, double lr, double gradient_factor);

}  // namespace stagedtrain::train
