// Declares causal attention with grouped queries, optional norms of queries and keys, and an
// optional rotary embedding, in ATen operators.
#pragma once

#include <ATen/ATen.h>

#include "arch/model_config.h"
#include "model/key_value_cache.h"

namespace stagedtrain::model {

// Cosines and sines of the rotary angles at every position, [context, n] for n rotated dimensions.
// The two halves of the columns are equal. Computed in float64 and rounded once.
struct RotaryTables {
  RotaryTables() = default;  // no rotation
  RotaryTables(const arch::ModelConfig& config, at::TensorOptions like);
  at::Tensor cos, sin;
};

// Gains of the RMSNorms of queries and keys, either of one head or of all heads. Undefined: no
// norms.
struct HeadNormGains {
  at::Tensor query, key;
};

// qkv_BTX holds the queries of all heads, then the keys and then the values of all kv_heads, head
// by head. Returns [B, T, heads x value_dim]. With tables of n columns, dimension i < n / 2 of a
// query or key is rotated together with dimension i + n / 2, and dimensions from n on are not
// rotated. Tokens stand at positions_BT, in ascending order; undefined: at 0, 1, and so on.
at::Tensor attend(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
                  const RotaryTables& rotary = {}, const HeadNormGains& norms = {},
                  const at::Tensor& positions_BT = {});

// Does the same for one sequence that continues after the tokens in the cache, and adds its keys
// and values to the cache.
at::Tensor attend_on(const at::Tensor& qkv_1TX, const arch::ModelConfig& config,
                     const RotaryTables& rotary, const HeadNormGains& norms, std::size_t layer,
                     KeyValueCache& cache);

// RMSNorm over the last axis, with statistics in `wide`.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps, at::ScalarType wide);

}  // namespace stagedtrain::model
