// When can one growth save half of the FLOPs? The condition on what the small model costs, on how
// much of its training the larger one keeps, and on when it grows.
//
// Let r be the FLOPs of a token of the small model, relative to the final one. After the growth,
// rho tokens of the small model count like one of the final model. The small model reads x tokens
// for each one that the final model reads, so its share of all tokens is tau = x / (1 + x). Against
// the final model from scratch, which needs x / rho + 1 tokens for the same loss, the run saves
//   x (1 / rho - r) / (x / rho + 1)
// That is 1/2 or more if r < 1 / (2 rho) and tau >= 1 / (1 + 1 / rho - 2 r). A constant rho is an
// assumption: measured values fall as runs get longer (docs/planning.md).
#pragma once

#include <optional>

namespace stagedtrain::scaling {

// Returns the least share of the tokens that the small model must read; nothing if no share is
// enough. Requires rho > 0.
std::optional<double> share_for_half(double cost_ratio, double rho);

// Returns the rho below which half can be saved at some share. Requires cost_ratio > 0.
inline double most_rho_for_half(double cost_ratio) { return 1 / (2 * cost_ratio); }

}  // namespace stagedtrain::scaling
