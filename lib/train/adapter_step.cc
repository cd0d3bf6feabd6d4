// Updates adapters between the backward pass and the next forward pass.
#include "train/adapter_step.h"

#include <ATen/core/grad_mode.h>

#include "plan/stage_policy.h"
#include "policies/adapters.h"
#include "policies/transplant.h"
#include "train/transplant.h"

namespace stagedtrain::train {

void begin_adapters_of(RunContext& run, const plan::StagePlan& stage, DeviceState& live) {
  if (!stage.policies.adapters || live.adapters) return;
  const arch::AdapterSet set =
      plan::adapters_of(plan::policy_stage(stage), live.model->params().table());
  if (plan::transplants(stage.policies)) return begin_from_larger(run, stage, live, set);
  begin_adapters(live, set);
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
