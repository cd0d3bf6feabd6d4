// What a model costs: parameters and exact matmul FLOPs.
#pragma once

#include <cstdint>

#include "arch/model_config.h"

namespace stagedtrain::arch {

struct ParamCount {
  std::int64_t total = 0;          // a tied head counts once
  std::int64_t non_embedding = 0;  // without token and position embeddings and an untied head
  std::int64_t active = 0;         // those a token goes through: without experts not chosen
};
ParamCount count_params(const ModelConfig& config);

// Training FLOPs for one token (forward and backward, all matrix products): 6 for each weight of
// the block matrices (of the experts, only those a token goes through) and of the head, 6 * layers
// * heads * (head_dim + value_dim) * length for full attention. Embedding lookups, norms and the
// optimizer count nothing. length 0 means the whole context.
double flops_per_token(const ModelConfig& config, std::int64_t length = 0);
// Of these, the part of full attention; causal attention, which skips what is masked, needs half.
double attention_flops_per_token(const ModelConfig& config, std::int64_t length = 0);

}  // namespace stagedtrain::arch
