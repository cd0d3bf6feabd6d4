// Builds the maps of a growth by copies, for width, clone, rms_copy, merge and decoalesce.
//
// New index i of the residual stream and of the hidden units is a copy of old index i mod old size,
// or of a random one (Copies). Heads are copied whole, together with the group of keys and values
// that they read (head_growth.h). If an index has c copies, each is read with 1/c of the weight, so
// S D = I for any sizes. The maps do not decide how a matrix is spread over the blocks between two
// axes with copies. Any choice whose rows of blocks sum to W keeps the loss (Mixing: diagonal in
// Staged Training, uniform in HyperCloning).
//
// Invariant: tile t of an axis consists of the t-th copies of old indices, and tile 0 is the old
// place. The break of the symmetry and `moments: reset_new` rely on it.
#include "widths/widening.h"

#include <algorithm>
#include <utility>

#include "widths/head_growth.h"

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

AxisGrowth copied_axes(const GrowthContext& context, const Symmetry& symmetry, Copies copies) {
  const arch::ModelConfig &from = context.from, &to = context.to;
  const UnitChoice choose = copies == Copies::random ? at_random(symmetry.seed) : in_turn;
  if (copies == Copies::random)  // the map will have one piece per unit
    check_block_count("the matrices of ffn", static_cast<std::size_t>(to.ffn));
  AxisGrowth growth = unchanged_axes(from);
  growth.of(arch::Axis::residual) = chosen(from.width, to.width, choose, "residual");
  growth.of(arch::Axis::ffn) = chosen(from.ffn, to.ffn, choose, "ffn");
  grow_heads(growth, from, to, true, false, choose);
  growth.noise = symmetry.noise;
  growth.seed = symmetry.seed;
  return growth;
}

WholeGrowth growth_by_copies(AxisGrowth axes, const GrowthContext& context, Copies copies) {
  WholeGrowth growth = growth_of_axes(std::move(axes), context);
  growth.next_layer = copies == Copies::next_layer && context.from.layers > 1;
  growth.exact = growth.axes.of(arch::Axis::residual).even() && !growth.next_layer;
  growth.equivariant = !growth.next_layer;
  return growth;
}

}  // namespace stagedtrain::grow
