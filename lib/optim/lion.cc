// Implements Lion in whole-tensor operations.
#include "optim/lion.h"

#include "optim/segment_views.h"

namespace stagedtrain::train {

void lion_step(model::ParamBuffer& params, const LionOptions& o, double lr, std::int64_t step,
               double gradient_factor) {
  for_moving_segments(params, gradient_factor, [&](const model::Segment& s, at::Tensor& gradient) {
    const double rate = lr * s.lr_scale * ramp_at(s, step);
    at::Tensor weights = view_of(params.weights(), s), momentum = view_of(params.exp_avg(), s);
    if (s.decays) weights.mul_(1 - rate * o.weight_decay * s.decay_scale);
    weights.add_(momentum.lerp(gradient, 1 - o.beta1).sign_(), -rate);
    momentum.lerp_(gradient, 1 - o.beta2);
  });
}

}  // namespace stagedtrain::train
