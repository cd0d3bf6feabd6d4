// Which tensors Muon orthogonalizes, and what that costs.
#pragma once

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// The matrices of the blocks: queries, keys, values, the output of attention, and every matrix of
// the feed-forward, each expert's for itself. A router has a row for each expert, as a head has one
// for each token, so it is left to AdamW, like embeddings, head, norms and biases.
bool is_muon_matrix(const ParamSpec& spec);

// FLOPs of one step's Newton-Schulz iterations over all these matrices. One iteration of an m x n
// matrix, m <= n, is X X^T (2 m^2 n), its square (2 m^3) and a product with X (2 m^2 n).
inline constexpr int kNewtonSchulzSteps = 5;
double newton_schulz_flops(const ModelConfig& config);

}  // namespace stagedtrain::arch
