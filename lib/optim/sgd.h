// Stochastic gradient descent with momentum, as torch.optim.SGD computes it. With gradient g and
// momentum m, which exp_avg holds:
//   g = g + weight_decay * w        if the tensor decays
//   m = momentum * m + g
//   w = w - lr * (g + momentum * m with Nesterov's momentum, else m)
// exp_avg_sq is not used and stays zero.
//
// Growth: where weights become their tiling / c_in, gradients become theirs / c_out. So with
// dynamics: exact, steps are c_out / c_in times as large, and the decay, which is a part of the
// gradient, is multiplied by c_in / c_out. lr_scale, decay_scale and eps_scale of the growth are 1
// / c_in, c_in and 1 / c_out.
#pragma once

#include "model/param_buffer.h"

namespace stagedtrain::train {

struct SgdOptions {
  double momentum = 0.9, weight_decay = 0.1;
  bool nesterov = false;
};

// Moves all segments that are neither frozen nor idle, and sets all gradients to zero. Arguments
// are as in adamw_step. The caller must update the bfloat16 copy of the weights afterwards.
void sgd_step(model::ParamBuffer& params, const SgdOptions& options, double lr, std::int64_t step,
              double gradient_factor);

}  // namespace stagedtrain::train
