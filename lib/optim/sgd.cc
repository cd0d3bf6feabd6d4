// Implements SGD in whole-tensor operations.
#include "optim/sgd.h"

#include "optim/segment_views.h"

namespace stagedtrain::train {

void sgd_step(model::ParamBuffer& params, const SgdOptions& o, double lr, std::int64_t step,
              double gradient_factor) {
  for_moving_segments(params, gradient_factor, [&](const model::Segment& s, at::Tensor& gradient) {
    const double rate = lr * s.lr_scale / s.eps_scale * ramp_at(s, step);
    at::Tensor weights = view_of(params.weights(), s), momentum = view_of(params.exp_avg(), s);
    if (s.decays) gradient.add_(weights, o.weight_decay * s.decay_scale * s.eps_scale);
    momentum.mul_(o.momentum).add_(gradient);
    weights.add_(o.nesterov ? gradient.add_(momentum, o.momentum) : momentum, -rate);
  });
}

}  // namespace stagedtrain::train
