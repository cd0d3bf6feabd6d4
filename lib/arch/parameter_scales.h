// How does a model's parameterization change the initial values and optimizer steps of its tensors?
//
// Let r_in and r_out be how many times wider a tensor's input and output axes are than in the base
// model, and m = base_layers / final_layers. Relative to the base model:
//
//   tensor                              initial std       lr         decay    eps
//   embedding                           1                 1          1        1 / r
//   matrix of a block                   1 / sqrt(r_in)    1 / r_in   r_in     1 / r_out
//   router, untied head                 1 / r_in          1 / r_in   r_in     1
//   norm, bias                          1                 1          1        1 / r_out
//   final norm before a tied head       1 / r (its gain)  1 / r      r        1
//   the same within blocks, by depth    1                 1          1        m
//   what ends a branch, by depth        m                 m          1 / m    1
//
// Without the last two rows this is muP for AdamW (arXiv 2203.03466, table 8; weight decay and eps
// as in arXiv 2505.01618, table 1). lr x decay is the same at any size.
//
// Multipliers are folded into weights, so that the kernels, growth and export see an ordinary
// model. If y = c W x and W' = c W, then AdamW moves W' as it would move c W if lr' = c lr,
// decay' = decay / c and eps' = eps / c, because the gradient of W' is that of W divided by c. That
// is how the logits' multiplier 1 / r gets into the head or the final norm (with a bias, all of
// it), and the branches' multiplier m into the matrix and bias that end a branch, or into the norm
// behind it.
//
// The scales of a model are those that `dynamics: exact` would give to the base model if it were
// grown to this size by copies (docs/growth.md, "Parameterization"). So a growth has only to give
// each tensor the scales of the larger model (grow/parameterized.h).
//
// Rejected: the multiplier 1 / head_dim instead of 1 / sqrt(head_dim) in attention. Growth keeps
// head_dim and adds heads, so the multiplier is a constant; a schedule should do the same.
#pragma once

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// Scales the initial values of a tensor, and sets spec.scales. Does nothing if the model has no
// parameterization. The standard deviation of matrices that write into the residual stream must be
// that of the base model's depth (initial_layers).
void parameterize(const ModelConfig& config, ParamSpec& spec);

// Returns the number of layers from which the initial values of residual outputs are computed.
std::int64_t initial_layers(const ModelConfig& config);

}  // namespace stagedtrain::arch
