// The operator ligo learns how to grow (LiGO, arXiv 2303.00980): every tensor of the larger model
// is a product of the small model's tensors with maps of axes and layers, which a few steps of
// training fit to the run's data before the growth (grow/dense_map.h, train/map_fit.h).
//
// The maps start as copies in turn, which is rms_copy in width and stack (order: append) or
// interleaved copies (order: alternate) in depth. So fit.steps: 0 is that growth. Differences from
// the paper: readers of copies are divided by their number, so that a growth of width alone starts
// at the loss of the small model; and heads are mixed as wholes where single rows would break RoPE,
// norms of heads or groups of queries.
#include "learned/fit_options.h"
#include "learned/learned_growth.h"
#include "operators/operators.h"
#include "widths/target_sizes.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct LigoOptions {
  TargetSizes sizes;
  FittedOptions fitted;
  template <class V>
  void fields(V& v) {
    v("layers", sizes.layers, {.doc = "number of layers after the growth", .min = 1, .max = 65536});
    sizes.copied_fields(v);
    fitted.fields(v);
  }
};

class Ligo final : public GrowthOperator {
 public:
  explicit Ligo(const LigoOptions& options) : options_(options) {
    check_fit(options.fitted, "ligo");
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.sizes.grown(from, "ligo");
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    WholeGrowth growth =
        growth_by_copies(copied_axes(context, {0, options_.fitted.seed}), context, Copies::in_turn);
    growth.layers = ordered_layers(context.from.layers, context.to.layers, options_.fitted.order);
    growth.new_layers = {NewLayers::copied};
    GrowthStep step = step_by_axes(growth, context, options_.fitted.state);
    const FitOptions& fit = options_.fitted.fit;
    if (fit.steps == 0) return step;
    learn_maps(step, growth.axes, growth.layers, context, fit.noise, options_.fitted.seed);
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
