// Applies the mask of the operator `mask` (MSG, arXiv 2305.02869), which fades in what a growth
// added.
//
// With m = `visible`, rising from 0 to 1, f is 1 on the indices of the old model and m on the new
// ones:
//   embeddings, outputs of branches and outputs of norms    x f_C
//   outputs of attention heads                              x f_X
//   hidden units of the feed-forward                        x f_F
//   both branches of a new layer                            x m
//   mean in a norm                                          sum(f_C x) / sum(f_C)
// Invariant: at m = 0 the model computes exactly what the old model does, and at m = 1 the mask
// changes nothing. New weights can therefore be random. The residual stream is masked on both ends,
// where it is written and where a norm passes it on. Without weights in the means of norms, zeros
// in the new indices would still change the statistics of the old ones.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "model/model.h"

namespace stagedtrain::model {

// The factors of the indices of three axes, and of layers. Undefined tensors mean no mask.
struct ReferenceMask {
  ReferenceMask() = default;
  ReferenceMask(const arch::ModelConfig& config, const ModelMask& mask, at::TensorOptions like);

  bool active() const { return residual_C.defined(); }
  double of_layer(std::int64_t layer) const {
    return active() && layer >= old_layers ? visible : 1;
  }
  // Returns x times the factors of its last axis, or x if there are none.
  static at::Tensor over(const at::Tensor& x, const at::Tensor& factors) {
    return factors.defined() ? x * factors.to(x.scalar_type()) : x;
  }
  // Returns the weighted mean over the last axis, [.., 1], which replaces the mean in a norm.
  at::Tensor mean(const at::Tensor& x_BTC) const;

  at::Tensor residual_C, heads_X, ffn_F;
  std::int64_t old_layers = 0;
  double visible = 1;
};

}  // namespace stagedtrain::model
