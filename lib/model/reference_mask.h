// The mask of the operator `mask` (MSG, arXiv 2305.02869): what a growth added counts `visible`.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "model/model.h"

namespace stagedtrain::model {

// Factors of each index of three axes and of each layer: 1 for what the old model had, else
// `visible`. Undefined tensors: no mask.
struct ReferenceMask {
  ReferenceMask() = default;
  ReferenceMask(const arch::ModelConfig& config, const ModelMask& mask, at::TensorOptions like);

  bool active() const { return residual_C.defined(); }
  double of_layer(std::int64_t layer) const {
    return active() && layer >= old_layers ? visible : 1;
  }
  // x times the factors of its last axis.
  static at::Tensor over(const at::Tensor& x, const at::Tensor& factors) {
    return factors.defined() ? x * factors.to(x.scalar_type()) : x;
  }
  // The statistics of a norm over the last axis, in which masked indices count by their factors:
  // mean [.., 1] of x.
  at::Tensor mean(const at::Tensor& x_BTC) const;

  at::Tensor residual_C, heads_X, ffn_F;
  std::int64_t old_layers = 0;
  double visible = 1;
};

}  // namespace stagedtrain::model
