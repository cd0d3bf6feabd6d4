// Which tensors does Muon orthogonalize, and how many FLOPs does that cost?
#pragma once

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// Returns whether a tensor is a matrix of a block: queries, keys, values, the attention output, or
// a matrix of the feed-forward (of each expert separately). A router has one row per expert, as the
// head has one per token, so it is left to AdamW together with embeddings, head, norms and biases.
bool is_muon_matrix(const ParamSpec& spec);

// Returns the FLOPs of one step's Newton-Schulz iterations over all these matrices. One iteration
// on an m x n matrix X, m <= n, computes X X^T (2 m^2 n), its square (2 m^3) and a product with X
// (2 m^2 n).
inline constexpr int kNewtonSchulzSteps = 5;
double newton_schulz_flops(const ModelConfig& config);

}  // namespace stagedtrain::arch
