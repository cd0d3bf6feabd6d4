// Lion in whole-tensor operations.
#include "train/lion.h"

#include <ATen/core/grad_mode.h>

#include "train/segment_views.h"

namespace stagedtrain::train {

void lion_step(model::ParamBuffer& params, const LionOptions& o, double lr, std::int64_t step,
               double gradient_factor) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& s : params.segments()) {
    at::Tensor gradient = part_of(params.grads(), s);
    if (!s.frozen && !s.idle) {
      const double rate = lr * s.lr_scale * ramp_at(s, step);
      at::Tensor weights = part_of(params.weights(), s), momentum = part_of(params.exp_avg(), s);
      if (gradient_factor != 1) gradient.mul_(gradient_factor);
      if (s.decays) weights.mul_(1 - rate * o.weight_decay * s.decay_scale);
      weights.add_(momentum.lerp(gradient, 1 - o.beta1).sign_(), -rate);
      momentum.lerp_(gradient, 1 - o.beta2);
    }
    gradient.zero_();
  }
}

}  // namespace stagedtrain::train
