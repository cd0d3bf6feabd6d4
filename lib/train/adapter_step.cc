// Updates adapters between the backward pass and the next forward pass.
#include "train/adapter_step.h"

#include <ATen/core/grad_mode.h>

#include "plan/stage_policy.h"
#include "policies/adapters.h"

namespace stagedtrain::train {

void begin_adapters_of(const plan::StagePlan& stage, DeviceState& live) {
  end_adapters(live);
  if (!stage.policies.adapters) return;
  begin_adapters(live, plan::adapters_of(plan::policy_stage(stage), live.model->params().table()));
}

arch::IdleParts pull_back(const plan::StagePlan& stage, DeviceState& live) {
  model::ParamBuffer& params = live.model->params();
  live.adapters->pull_back(params);
  arch::IdleParts still;
  still.frozen = plan::not_moved_with_adapters(plan::policy_stage(stage), params.table());
  params.set_histories(live.header.histories, 0, still);
  return still;
}

at::Tensor norm_with_adapters(const at::Tensor& norm, Adapters* adapters) {
  if (!adapters) return norm;
  const at::NoGradGuard no_grad;
  return (norm.square() + gradient_norm(adapters->values()).square()).sqrt();
}

void step_adapters(DeviceState& live, Optimizer& optimizer, double lr, double gradient_factor) {
  Adapters& adapters = *live.adapters;
  optimizer.step(adapters.values(), lr * adapters.set().lr, live.header.progress.step + 1,
                 gradient_factor);
  adapters.merge(live.model->params());
  live.model->weights_changed();
}

}  // namespace stagedtrain::train
