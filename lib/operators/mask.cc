// The operator mask adds random dimensions and layers, which a mask fades in from 0 to 1 over the
// first steps of the next stage (MSG, arXiv 2305.02869).
//
// At the growth the mask is 0. Neither readers nor norms see what is masked, so the loss is kept,
// and new weights have no gradient yet. Unlike in `expand`, new hidden units, heads and residual
// indices are random on both sides, in writers and readers. Only the new query entries of larger
// heads are zero, because no mask covers them. model/reference_mask.h applies the mask in the
// running model.
//
// While the mask rises, new parts count only in part, which the weights alone do not express. So
// such a state cannot grow again until the mask is 1 (apply.cc), and no operator may follow mask.
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/head_growth.h"
#include "widths/target_sizes.h"

namespace stagedtrain::grow {
namespace {

struct MaskOptions {
  TargetSizes sizes;
  std::int64_t steps = 200, seed = 7;
  StateRule state;
  template <class V>
  void fields(V& v) {
    sizes.fields(v);
    v("steps", steps, {.doc = "steps over which the mask rises", .min = 1, .max = 1e9});
    v("seed", seed, {.doc = "seed of everything new", .min = 0});
    state.fields(v);
  }
};

class Mask final : public GrowthOperator {
 public:
  explicit Mask(const MaskOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.sizes.grown(from, "mask");
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const arch::ModelConfig &from = context.from, &to = context.to;
    AxisGrowth axes = unchanged_axes(from);
    axes.of(arch::Axis::residual) = padded(from.width, to.width, 1, Rest::random, true);
    axes.of(arch::Axis::ffn) = padded(from.ffn, to.ffn, 1, Rest::random, true);
    grow_heads(axes, from, to, false, turns_positions(context.sources));
    axes.of(arch::Axis::heads).rest_is_read = true;
    axes.seed = options_.seed;
    WholeGrowth growth = growth_of_axes(std::move(axes), context);
    growth.layers = ordered_layers(from.layers, to.layers, LayerOrder::append);
    growth.new_layers = {NewLayers::random};
    GrowthStep step = step_by_axes(growth, context, options_.state);
    // step_by_axes does not know the mask, under which new parts change neither loss nor gradient.
    step.exact = true;
    step.equivariant = options_.state.moments == Moments::equivariant;
    step.mask_steps = options_.steps;
    return step;
  }

 private:
  MaskOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_mask(const Tree& options) {
  return make_operator<Mask, MaskOptions>(options, "mask");
}
std::vector<FieldRow> document_mask() { return document_fields<MaskOptions>(); }

}  // namespace stagedtrain::grow
