// SGD in whole-tensor operations.
#include "train/sgd.h"

#include <ATen/core/grad_mode.h>

#include "train/segment_views.h"

namespace stagedtrain::train {

void sgd_step(model::ParamBuffer& params, const SgdOptions& o, double lr, std::int64_t step,
              double gradient_factor) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& s : params.segments()) {
    at::Tensor gradient = part_of(params.grads(), s);
    if (!s.frozen && !s.idle) {
      const double rate = lr * s.lr_scale / s.eps_scale * ramp_at(s, step);
      at::Tensor weights = part_of(params.weights(), s), momentum = part_of(params.exp_avg(), s);
      if (gradient_factor != 1) gradient.mul_(gradient_factor);
      if (s.decays) gradient.add_(weights, o.weight_decay * s.decay_scale * s.eps_scale);
      momentum.mul_(o.momentum).add_(gradient);
      weights.add_(o.nesterov ? gradient.add_(momentum, o.momentum) : momentum, -rate);
    }
    gradient.zero_();
  }
}

}  // namespace stagedtrain::train
