// Grows the residual stream to any width without changing what norms compute (LEMON, arXiv
// 2310.07999; docs/growth.md, "Operators of width").
#pragma once

#include "grow/axis_growth.h"
#include "grow/operator.h"

namespace stagedtrain::grow {

// Returns the mean square of a residual stream of `to` indices, divided by that of the old one, if
// it has at most `tiles` whole copies and padding after them. A norm computes the same if its eps
// is multiplied by this share and its gain by the square root.
double norm_share(std::int64_t from, std::int64_t to, std::int64_t tiles);
// Sets the residual axis of `growth` and its norm_share. The padding is zero under RMSNorm and the
// mean under LayerNorm. Its readers are random, since a norm's output is zero there.
void pad_residual(AxisGrowth& growth, const GrowthContext& context, std::int64_t tiles);

}  // namespace stagedtrain::grow
