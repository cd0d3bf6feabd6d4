// Causal attention by ATen operators, with grouped queries and, where asked for, rotary positions.
#pragma once

#include <ATen/ATen.h>

#include "arch/model_config.h"
#include "model/key_value_cache.h"

namespace stagedtrain::model {

// Cosines and sines of the rotation at every position of the context, [context, head_dim], each
// half of the columns the same. Computed in float64 and rounded once.
struct RotaryTables {
  RotaryTables() = default;  // nothing turns
  RotaryTables(const arch::ModelConfig& config, at::TensorOptions like);
  at::Tensor cos, sin;
};

// qkv_BTX: queries of all heads, then keys, then values of all kv_heads, head by head. Returns
// [B, T, heads x head_dim]. With tables, dimension i of a query or key turns with i + head_dim / 2.
at::Tensor attend(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
                  const RotaryTables& rotary = {});

// The same for one row that goes on from what the cache holds of this layer; adds to it.
at::Tensor attend_on(const at::Tensor& qkv_1TX, const arch::ModelConfig& config,
                     const RotaryTables& rotary, std::size_t layer, KeyValueCache& cache);

}  // namespace stagedtrain::model
