// Forward and backward of a transformer as phases over the rows of a batch, on raw pointers.
#pragma once

#include "kernels/rotary.h"
#include "model/fused_activations.h"

namespace stagedtrain::model {

struct FusedRun {
  const FusedSizes& sizes;
  const FusedTensors& weights;
  const FusedActivations& acts;
  kernels::TokenView inputs() const { return {acts.ids, acts.length, ids_stride}; }
  kernels::TokenView targets() const { return {acts.ids + 1, acts.length, ids_stride}; }
  std::int64_t ids_stride;     // from one sequence to the next in acts.ids
  kernels::Rotation rotation;  // of queries and keys; without tables where positions are learnt
};

// From acts.ids to the output of the final norm.
void forward_pass(const FusedRun& run);
// After forward_pass, where recompute says so, for the backward pass of layer i: all that lies
// between the inputs of its two norms and its hidden units; the output of norm_1 or norm_2 (on some
// rows). The same bits as before.
void remake_block(const FusedRun& run, std::int64_t i);
void remake_norm_1(const FusedRun& run, std::int64_t i, const RowWork& rows);
void remake_norm_2(const FusedRun& run, std::int64_t i, const RowWork& rows);
// logits [R, V] of all rows.
void write_logits(const FusedRun& run, float* logits);
// acts.losses of all rows, without gradient.
void write_losses(const FusedRun& run);
// After forward_pass: acts.losses, and the gradients of gradient_scale * sum(losses + z_loss *
// lse^2) are added to grads.
void backward_pass(const FusedRun& run, const FusedTensors& grads, float gradient_scale,
                   float z_loss);

}  // namespace stagedtrain::model
