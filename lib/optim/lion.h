// Lion: moves each weight by the same amount, in the direction of the sign of a momentum (Chen et
// al., arXiv 2302.06675, algorithm 2). With gradient g and momentum m, which exp_avg holds:
//   w = (1 - lr * weight_decay) w - lr * sign(beta1 m + (1 - beta1) g)
//   m = beta2 m + (1 - beta2) g
// exp_avg_sq is not used and stays zero. Like AdamW, Lion does not depend on the scale of
// gradients, so a growth with dynamics: exact scales the learning rate and the decay as it does for
// AdamW.
#pragma once

#include "model/param_buffer.h"

namespace stagedtrain::train {

struct LionOptions {
  double beta1 = 0.9, beta2 = 0.99, weight_decay = 0.1;
};

// Moves all segments that are neither frozen nor idle, and sets all gradients to zero. Arguments
// are as in adamw_step. The caller must update the bfloat16 copy of the weights afterwards.
void lion_step(model::ParamBuffer& params, const LionOptions& options, double lr, std::int64_t step,
               double gradient_factor);

}  // namespace stagedtrain::train
