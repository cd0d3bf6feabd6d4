// Forward and backward of a GPT-2 as phases over the rows of a batch, on raw pointers.
#pragma once

#include "model/gpt2_activations.h"

namespace stagedtrain::model {

struct Gpt2Run {
  const Gpt2Sizes& sizes;
  const Gpt2Tensors& weights;
  const Gpt2Activations& acts;
  kernels::TokenView inputs() const { return {acts.ids, acts.length, ids_stride}; }
  kernels::TokenView targets() const { return {acts.ids + 1, acts.length, ids_stride}; }
  std::int64_t ids_stride;  // from one sequence to the next in acts.ids
};

// From acts.ids to the output of the final norm.
void forward_pass(const Gpt2Run& run);
// logits [R, V] of all rows.
void write_logits(const Gpt2Run& run, float* logits);
// acts.losses of all rows, without gradient.
void write_losses(const Gpt2Run& run);
// After forward_pass: acts.losses, and the gradients of gradient_scale * sum(losses + z_loss *
// lse^2) are added to grads.
void backward_pass(const Gpt2Run& run, const Gpt2Tensors& grads, float gradient_scale,
                   float z_loss);

}  // namespace stagedtrain::model
