// Computes the maps of a residual stream that consists of whole copies and padding.
#include "widths/padding.h"

#include <algorithm>

#include "grow/axis_operator.h"

namespace stagedtrain::grow {

double norm_share(std::int64_t from, std::int64_t to, std::int64_t tiles) {
  const std::int64_t copied = std::min(tiles, to / from) * from;
  return static_cast<double>(copied) / static_cast<double>(to);
}

void pad_residual(AxisGrowth& growth, const GrowthContext& context, std::int64_t tiles) {
  const std::int64_t from = context.from.width, to = context.to.width;
  const Rest rest = centers_norms(context.sources) ? Rest::mean : Rest::zero;
  growth.of(arch::Axis::residual) = padded(from, to, tiles, rest, true);
  growth.norm_share = norm_share(from, to, tiles);
}

}  // namespace stagedtrain::grow
