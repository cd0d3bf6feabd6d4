// How many parameters does a model have, and how many matmul FLOPs does a training token cost?
#pragma once

#include <cstdint>

#include "arch/model_config.h"

namespace stagedtrain::arch {

struct ParamCount {
  std::int64_t total = 0;          // a tied head counts once
  std::int64_t non_embedding = 0;  // without token and position embeddings and an untied head
  std::int64_t active = 0;         // used by one token: only the experts that its router chooses
};
ParamCount count_params(const ModelConfig& config);

// Training FLOPs per token, forward and backward, of all matrix products: 6 for each weight of the
// block matrices (only of the experts that a token uses) and of the head, plus 6 * layers * heads *
// (head_dim + value_dim) * length for full attention. Embedding lookups, norms and the optimizer
// are not counted. Layers that run several times (arch/loops.h) count as often, and routed layers
// (arch/routed_layers.h) with the share of the tokens that passes. A length of 0 means the whole
// context.
double flops_per_token(const ModelConfig& config, std::int64_t length = 0);
// The attention part of flops_per_token. It counts full attention; causal attention that skips
// masked pairs needs half as much.
double attention_flops_per_token(const ModelConfig& config, std::int64_t length = 0);

}  // namespace stagedtrain::arch
