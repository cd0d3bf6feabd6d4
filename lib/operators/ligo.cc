// The operator ligo learns how to grow (LiGO, arXiv 2303.00980): every tensor of the larger model
// is a product of the small model's tensors with maps of axes and layers, which a few steps of
// training fit to the run's data before the growth (grow/dense_map.h, train/map_fit.h).
//
// The maps start as copies in turn, which is rms_copy in width and stack (order: append) or
// interleaved copies (order: alternate) in depth. So fit.steps: 0 is that growth. Differences to
// the paper: readers of copies are divided by their number, so that a growth of width alone starts
// at the loss of the small model; and heads are mixed as wholes where single rows would break
// RoPE, norms of heads or groups of queries.
#include "learned/fit_options.h"
#include "learned/learned_growth.h"
#include "operators/operators.h"
#include "widths/target_sizes.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct LigoOptions {
  TargetSizes sizes;
  LayerOrder order = LayerOrder::append;
  FitOptions fit;
  std::int64_t seed = 7;
  StateRule state{Moments::reset};
  template <class V>
  void fields(V& v) {
    v("layers", sizes.layers, {.doc = "number of layers after the growth", .min = 1, .max = 65536});
    sizes.copied_fields(v);
    v("order", order,
      {.doc = "the old layer that each new layer begins as: append: the old layers again, after "
              "themselves; alternate: each layer twice in a row; others: as in depth"});
    v("fit", fit, {.doc = "how the maps are learned"});
    v("seed", seed, {.doc = "seed of the noise", .min = 0});
    state.fields(v);
  }
};

class Ligo final : public GrowthOperator {
 public:
  explicit Ligo(const LigoOptions& options) : options_(options) {
    check_fit(options.fit, options.state, "ligo");
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.sizes.grown(from, "ligo");
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    WholeGrowth growth =
        growth_by_copies(copied_axes(context, {0, options_.seed}), context, Copies::in_turn);
    growth.layers = ordered_layers(context.from.layers, context.to.layers, options_.order);
    growth.new_layers = {NewLayers::copied};
    GrowthStep step = step_by_axes(growth, context, options_.state);
    const FitOptions& fit = options_.fit;
    if (fit.steps == 0) return step;
    learn_maps(step, growth.axes, growth.layers, context, fit.noise, options_.seed);
    step.fit = fit.fit();
    return step;
  }

 private:
  LigoOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_ligo(const Tree& options) {
  return make_operator<Ligo, LigoOptions>(options, "ligo");
}
std::vector<FieldRow> document_ligo() { return document_fields<LigoOptions>(); }

}  // namespace stagedtrain::grow
