// Which model is in the top-left corner of a larger one's matrices? That of a student that shares
// its teacher's parameters (Gap Preserving Distillation, arXiv 2410.04140).
//
// Width, heads, kv_heads and ffn of the small model are those of the large one divided by a factor
// f; head_dim, layers, vocab and context are the same. Its tensors are the first entries of the
// large ones along every axis, times a power of f:
//   values       w = f^r W[corner]       r: the shrinking axes that the tensor reads
//   gradients    g = f^s G[corner]       s: the shrinking axes that it writes
// A matrix reads its columns and writes its rows, an embedding writes its columns, a norm or bias
// writes its axis. Before a tied head the final norm reads it instead (grow/axis_growth.cc).
//
// Invariant: this is the inverse of the operator clone with factor f and noise 0, for weights and
// for moments. Clone divides by the number of copies where a tensor reads copies, and the gradient
// of a copy is the old one divided by that number. The gradients of shared parameters are another
// matter: where W is trained through w alone, the chain rule says dL/dW[corner] = f^r dL/dw.
#pragma once

#include <cstdint>
#include <string>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// Returns what keeps a model from having a corner of this factor (what was found and what is
// expected), or "".
std::string obstacle_to_corner(const ModelConfig& config, std::int64_t factor);
// Returns the small model. Requires that there is no obstacle. Throws Error(usage) if the
// architecture does not allow its sizes.
ModelConfig corner_model(const ModelConfig& config, std::int64_t factor);

// What the corner of a tensor is multiplied by.
struct CornerScales {
  double value = 1, gradient = 1;
};
// `tied` means that the output head is the token embedding.
CornerScales corner_scales(const ParamSpec& spec, bool tied, std::int64_t factor);

}  // namespace stagedtrain::arch
