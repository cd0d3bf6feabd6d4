// Stochastic gradient descent with momentum, as torch.optim.SGD computes it. With gradient g and
// momentum m, which exp_avg holds:
//   g = g + weight_decay * w        where the tensor decays
//   m = momentum * m + g
//   w = w - lr * (g + momentum * m with Nesterov's momentum, else m)
// exp_avg_sq stays as it is (zero).
//
// Growth: where weights become their tiling / c_in, gradients become theirs / c_out. So steps are
// c_out / c_in times as large with dynamics: exact, and the decay, which is part of the gradient,
// is multiplied by c_in / c_out. The scales of the growth hold 1 / c_in, c_in and 1 / c_out.
#pragma once

#include "model/param_buffer.h"

namespace stagedtrain::train {

struct SgdOptions {
  double momentum = 0.9, weight_decay = 0.1;
  bool nesterov = false;
};

// Moves all tensors that are not frozen, and leaves gradients at zero. Arguments as in adamw_step;
// the 16-bit copy of the weights stays as it was.
void sgd_step(model::ParamBuffer& params, const SgdOptions& options, double lr, std::int64_t step,
              double gradient_factor);

}  // namespace stagedtrain::train
