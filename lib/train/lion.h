// Lion: steps of one size in the direction of a momentum's signs (Chen et al., arXiv 2302.06675,
// algorithm 2). With gradient g and momentum m, which exp_avg holds:
//   w = (1 - lr * weight_decay) w - lr * sign(beta1 m + (1 - beta1) g)
//   m = beta2 m + (1 - beta2) g
// exp_avg_sq stays as it is (zero). Signs ignore the size of a gradient, as AdamW does, so a growth
// with dynamics: exact scales the learning rate and the decay as for AdamW.
#pragma once

#include "model/param_buffer.h"

namespace stagedtrain::train {

struct LionOptions {
  double beta1 = 0.9, beta2 = 0.99, weight_decay = 0.1;
};

// Moves all tensors that are not frozen, and leaves gradients at zero. Arguments as in adamw_step;
// the 16-bit copy of the weights stays as it was.
void lion_step(model::ParamBuffer& params, const LionOptions& options, double lr, std::int64_t step,
               double gradient_factor);

}  // namespace stagedtrain::train
