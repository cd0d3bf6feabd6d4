// Growing the residual stream to any width without changing what the norms see (LEMON, arXiv
// 2310.07999; docs/growth.md, section 3).
#pragma once

#include "grow/axis_growth.h"
#include "grow/operator.h"

namespace stagedtrain::grow {

// The share of the old residual stream's mean square that the new one has, where it is made of at
// most `tiles` whole copies and padded beyond. norm_eps times this share, and gains times its root,
// keep every norm.
double norm_share(std::int64_t from, std::int64_t to, std::int64_t tiles);
// Sets the residual axis of `growth` and its norm_share. The rest is zero under RMSNorm, the mean
// under LayerNorm; readers of it are random, for they multiply zero.
void pad_residual(AxisGrowth& growth, const GrowthContext& context, std::int64_t tiles);

}  // namespace stagedtrain::grow
