// Makes the step of the optimizer that a schedule names.
#include "optim/optimizer.h"

#include "base/error.h"
#include "optim/lion.h"
#include "optim/sgd.h"

namespace stagedtrain::train {
namespace {

using schedule::OptimizerName;

AdamWOptions adamw_options(const schedule::OptimizerSpec& o) {
  AdamWOptions options{.weight_decay = o.weight_decay};
  if (o.betas.size() == 2) {
    options.beta1 = o.betas[0];
    options.beta2 = o.betas[1];
  }
  if (o.eps) options.eps = *o.eps;
  return options;
}

}  // namespace

Optimizer::Optimizer(const schedule::Schedule& schedule)
    : spec_(schedule.optimizer),
      adamw_(adamw_options(spec_)),
      adamw_share_(spec_.adamw_lr ? *spec_.adamw_lr / schedule.lr.peak : 1) {
  if (spec_.name == OptimizerName::muon)
    muon_.emplace(MuonOptions{spec_.momentum.value(), spec_.nesterov.value(),
                              spec_.update_scale.value(), spec_.weight_decay});
}

void Optimizer::step(model::ParamBuffer& params, double lr, std::int64_t step,
                     double gradient_factor) {
  switch (spec_.name) {
    case OptimizerName::adamw:
      return adamw_step(params, adamw_, lr, step, gradient_factor);
    case OptimizerName::muon:
      muon_->step(params, lr, step, gradient_factor);
      adamw_step_on(params.other_segments(), params, adamw_, lr * adamw_share_, step,
                    gradient_factor);
      break;
    case OptimizerName::lion:
      lion_step(params, {spec_.betas[0], spec_.betas[1], spec_.weight_decay}, lr, step,
                gradient_factor);
      break;
    case OptimizerName::sgd:
      sgd_step(params, {spec_.momentum.value(), spec_.weight_decay, spec_.nesterov.value()}, lr,
               step, gradient_factor);
  }
  params.update_copy();
}

}  // namespace stagedtrain::train
