// Declares the fused model's forward and backward passes, which work on raw pointers in phases over
// the rows of a batch.
#pragma once

#include "fused/fused_activations.h"
#include "kernels/head_norm.h"
#include "kernels/norm_mean.h"
#include "kernels/rotary.h"
#include "model/dropout.h"

namespace stagedtrain::model {

struct FusedRun {
  const FusedSizes& sizes;
  const FusedTensors& weights;
  const FusedActivations& acts;
  kernels::TokenView inputs() const { return {acts.ids, acts.length, ids_stride}; }
  kernels::TokenView targets() const { return {acts.ids + 1, acts.length, ids_stride}; }
  std::int64_t ids_stride;      // from one sequence to the next in acts.ids
  kernels::Rotation rotation;   // of queries and keys; without tables if positions are learned
  kernels::NormMean norm_mean;  // weighted behind a growth mask
  PassDropout dropout;          // inactive unless training
  Shards* shards = nullptr;     // null: all weights are complete
  GradientProgress* progress = nullptr;  // null: nobody is told which gradients are complete

  // Units of shards: embeddings, block i, and head.
  std::int64_t unit_of_block(std::int64_t i) const {
    return weights.layers[static_cast<std::size_t>(i)].index + 1;
  }
  void acquire(std::int64_t unit) const {
    if (shards) shards->acquire(unit);
  }
  void release(std::int64_t unit) const {
    if (shards) shards->release(unit);
  }
  void acquire_head() const {
    if (shards) shards->acquire(shards->unit_of_head());
  }
  void release_head() const {
    if (shards) shards->release(shards->unit_of_head());
  }

  // The norms of the queries and keys of layer i. Requires sizes.head_norms().
  kernels::HeadNorm head_norm(std::int64_t i) const {
    const FusedLayer& w = weights.layers[static_cast<std::size_t>(i)];
    return {w.query_norm,
            w.key_norm,
            sizes.heads,
            sizes.kv_heads,
            sizes.head_dim,
            sizes.qkv_width(),
            sizes.style.head_norms == arch::HeadNorms::each,
            sizes.eps};
  }
};

// Layer i of those that run.
inline const FusedLayer& weights_of(const FusedRun& run, std::int64_t i) {
  return run.weights.layers[static_cast<std::size_t>(i)];
}
inline const LayerActivations& acts_of(const FusedRun& run, std::int64_t i) {
  return run.acts.layers[static_cast<std::size_t>(i)];
}

// The scale of a branch's last product. Where a norm follows, the scale follows the norm.
inline float product_scale(const FusedRun& run, const FusedLayer& layer) {
  return run.sizes.style.norms_after ? 1 : layer.branch_scale;
}

// Returns the up weight of the hidden units that run, as one matrix. Gate and up of a part of the
// units are not adjacent, so they are copied, which costs as little as packing them. The result is
// valid until the next call.
const float* running_up_weight(const FusedRun& run, const FusedLayer& layer);

// Computes everything from acts.ids to the output of the final norm.
void forward_pass(const FusedRun& run);
// Recompute activations of layer i during the backward pass, as acts.recompute requires.
// remake_block recomputes everything between the inputs of the two norms and the hidden units
// before their activation. remake_norm_1 and remake_norm_2 recompute a norm's output on some rows.
// All of them reproduce the bits of forward_pass, which must have run before.
void remake_block(const FusedRun& run, std::int64_t i);
void remake_norm_1(const FusedRun& run, std::int64_t i, const RowWork& rows);
void remake_norm_2(const FusedRun& run, std::int64_t i, const RowWork& rows);
// Writes the logits [R, V] of all rows, after forward_pass.
void write_logits(const FusedRun& run, float* logits);
// Writes acts.losses of all rows, after forward_pass. Computes no gradient.
void write_losses(const FusedRun& run);
// Writes acts.losses, and adds the gradients of gradient_scale * sum(losses + z_loss * lse^2) to
// grads. Requires that forward_pass ran before.
void backward_pass(const FusedRun& run, const FusedTensors& grads, float gradient_scale,
                   float z_loss);

}  // namespace stagedtrain::model
