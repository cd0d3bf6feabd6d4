// The operator ligo learns how to grow (LiGO, arXiv 2303.00980): every tensor of the larger model
// is a product of the small model's tensors with maps of axes and layers, which a few steps of
// training fit to the run's data before the growth (grow/dense_map.h, train/map_fit.h).
//
// The maps start as copies in turn, which is rms_copy in width and stack (order: append) or
// interleaved copies (order: alternate) in depth. So fit.steps: 0 is that growth. Differences to
// the paper: readers of copies are divided by their number, so that a growth of width alone starts
// at the loss of the small model; and heads are mixed as wholes where single rows would break
// RoPE, norms of heads or groups of queries.
#include "base/error.h"
#include "learned/learned_growth.h"
#include "operators/operators.h"
#include "operators/target_sizes.h"
#include "operators/widening.h"

namespace stagedtrain::grow {
namespace {

struct FitOptions {
  std::int64_t steps = 100;
  double lr = 3e-3, noise = 0.01;
  std::optional<std::int64_t> sequences;
  template <class V>
  void fields(V& v) {
    v("steps", steps,
      {.doc =
           "steps that train the maps, and nothing else, on the training data before the growth; "
           "their tokens, FLOPs and time count. Trained maps have no rule for moments and "
           "dynamics, "
           "which must then be reset and plain. 0: plain copies",
       .min = 0,
       .max = 1e6});
    v("lr", lr,
      {.doc = "learning rate of the maps (Adam), whose entries begin as 0 and 1",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("noise", noise,
      {.doc = "random numbers added to each new row of a map, relative to its length; they let "
              "several copies of a unit become different",
       .min = 0,
       .max = 1});
    v("sequences", sequences,
      {.doc = "sequences in each of these steps (default: as many as the run's batch has)",
       .min = 1,
       .max = 1 << 24});
  }
};

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
    const StateRule& state = options.state;
    if (options.fit.steps > 0 && state.moments != Moments::reset)
      throw usage_error(
          "ligo: found moments: {}, expected reset: after a fit no rule gives the moments",
          enum_name(state.moments))
          .with_hint("leave out moments, or set fit.steps: 0");
    if (options.fit.steps > 0 && state.dynamics != Dynamics::plain)
      throw usage_error(
          "ligo: found dynamics: {}, expected plain: after a fit the larger model does not train "
          "as the small one would",
          enum_name(state.dynamics))
          .with_hint("leave out dynamics, or set fit.steps: 0");
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
    step.fit = {fit.steps, fit.lr, fit.sequences};
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
