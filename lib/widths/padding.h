// How does the residual stream grow to any width without changing what norms compute (LEMON, arXiv
// 2310.07999; docs/growth.md, "Operators of width")? lemon.cc has the formula.
#pragma once

#include "grow/axis_growth.h"
#include "grow/operator.h"

namespace stagedtrain::grow {

// Returns the mean square of a residual stream that grows from `from` to `to` indices, divided by
// its old mean square, if it consists of whole copies (as many as fit, at most `tiles`) and
// padding. A norm computes the same values if its eps is multiplied by this share and its gain by
// the square root of it.
double norm_share(std::int64_t from, std::int64_t to, std::int64_t tiles);
// Sets the residual axis and norm_share of `growth` accordingly. The padding is zero under RMSNorm
// and the mean of the old indices under LayerNorm. Its readers are random, because the output of a
// norm is zero there.
void pad_residual(AxisGrowth& growth, const GrowthContext& context, std::int64_t tiles);

}  // namespace stagedtrain::grow
