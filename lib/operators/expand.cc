// The operator expand implements the composable expansions of Gesmundo and Maile (arXiv
// 2308.06103), alone or together: more hidden units, heads, residual width or layers, and larger
// heads.
//
// Of each new unit, one side is zero, so that it adds nothing, and the other side is random, so
// that the zeros have a gradient:
//   hidden units and heads   random rows, read with zeros
//   residual indices         written with zeros (with the mean under LayerNorm), read at random
//   larger heads             zeros in queries and in readers of values, random keys and values
//   layers                   copies with zero outputs
// Nothing is copied within a layer, except groups of keys and values if kv_heads alone grows, and
// these are read by different queries. So no symmetry has to be broken.
//
// `shrink` and `noise` make a warm start of it that does not keep the loss (shrink_perturb.h).
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/head_growth.h"
#include "widths/padding.h"
#include "widths/shrink_perturb.h"
#include "widths/target_sizes.h"

namespace stagedtrain::grow {
namespace {

struct ExpandOptions {
  TargetSizes sizes;
  ShrinkPerturb warm_start;
  std::int64_t seed = 7;
  StateRule state;
  template <class V>
  void fields(V& v) {
    sizes.fields(v);
    warm_start.fields(v);
    v("seed", seed, {.doc = "seed of everything random", .min = 0});
    state.fields(v);
  }
};

class Expand final : public GrowthOperator {
 public:
  explicit Expand(const ExpandOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = options_.sizes.grown(from, "expand");
    to.norm_eps *= norm_share(from.width, to.width, 1);
    return to;
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const arch::ModelConfig &from = context.from, &to = context.to;
    AxisGrowth axes = unchanged_axes(from);
    pad_residual(axes, context, 1);
    axes.of(arch::Axis::ffn) = padded(from.ffn, to.ffn, 1, Rest::random, false);
    grow_heads(axes, from, to, false, turns_positions(context.sources));
    axes.seed = options_.seed;
    WholeGrowth growth = growth_of_axes(std::move(axes), context);
    growth.layers = ordered_layers(from.layers, to.layers, LayerOrder::alternate);
    growth.equivariant = !splits_groups(from, to);
    GrowthStep step = step_by_axes(growth, context, options_.state);
    shrink_and_perturb(options_.warm_start, arch::param_table(to), options_.seed, step);
    return step;
  }

 private:
  ExpandOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_expand(const Tree& options) {
  return make_operator<Expand, ExpandOptions>(options, "expand");
}
std::vector<FieldRow> document_expand() { return document_fields<ExpandOptions>(); }

}  // namespace stagedtrain::grow
