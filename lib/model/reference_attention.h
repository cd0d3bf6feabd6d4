// Causal attention by ATen operators, with grouped queries and, where asked for, rotary positions.
#pragma once

#include <ATen/ATen.h>

#include "arch/model_config.h"
#include "model/key_value_cache.h"

namespace stagedtrain::model {

// Cosines and sines of the rotation at every position of the context, [context, entries that turn],
// each half of the columns the same. Computed in float64 and rounded once.
struct RotaryTables {
  RotaryTables() = default;  // nothing turns
  RotaryTables(const arch::ModelConfig& config, at::TensorOptions like);
  at::Tensor cos, sin;
};

// Gains of the RMSNorms of queries and of keys: of one head, or of all heads. Undefined: no norms.
struct HeadNormGains {
  at::Tensor query, key;
};

// qkv_BTX: queries of all heads, then keys, then values of all kv_heads, head by head. Returns
// [B, T, heads x head_dim]. With tables of n columns, dimension i of a query or key turns with
// i + n / 2; those from n on stay.
at::Tensor attend(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
                  const RotaryTables& rotary = {}, const HeadNormGains& norms = {});

// The same for one row that goes on from what the cache holds of this layer; adds to it.
at::Tensor attend_on(const at::Tensor& qkv_1TX, const arch::ModelConfig& config,
                     const RotaryTables& rotary, const HeadNormGains& norms, std::size_t layer,
                     KeyValueCache& cache);

// RMSNorm over the last axis, its statistics in `wide`.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps, at::ScalarType wide);

}  // namespace stagedtrain::model
