// Copies of axes.
#include "grow/widening.h"

#include <algorithm>

#include "grow/head_growth.h"

namespace stagedtrain::grow {

arch::ModelConfig Widening::grown(const arch::ModelConfig& from) const {
  const auto times = [&](GrowingAxis axis) {
    return axes.empty() || std::find(axes.begin(), axes.end(), axis) != axes.end() ? factor : 1;
  };
  arch::ModelConfig to = from;
  to.width *= times(GrowingAxis::residual);
  to.heads *= times(GrowingAxis::heads);
  to.kv_heads *= times(GrowingAxis::heads);
  to.ffn *= times(GrowingAxis::ffn);
  return arch::resolved(to);
}

AxisGrowth copied_axes(const GrowthContext& context, const Symmetry& symmetry) {
  const arch::ModelConfig &from = context.from, &to = context.to;
  AxisGrowth growth = unchanged_axes(from);
  growth.of(arch::Axis::residual) = repeated(from.width, to.width);
  growth.of(arch::Axis::ffn) = repeated(from.ffn, to.ffn);
  grow_heads(growth, from, to, true, false);
  growth.noise = symmetry.noise;
  growth.seed = symmetry.seed;
  return growth;
}

}  // namespace stagedtrain::grow
