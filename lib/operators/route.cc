// The operator route gives some layers of a dense model routers of tokens (DLO, arXiv 2407.11030;
// arch/routed_layers.h). Everything else stays as it is.
//
// New routers are zero, so all scores are 1/2 and all tokens pass in evaluation. A routed layer
// then adds base / 2 times what it added: with base 2 the loss is kept. In training only the share
// of the tokens passes, so that gradients stay those of the old model only with share 1.
//
// The paper first puts a copy after every old layer and then routes the new layers:
//   grow: [{operator: depth, factor: 2, new_layers: ...}, {operator: route, every: 2, ...}]
#include "arch/routed_layers.h"
#include "base/error.h"
#include "grow/layer_growth.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct RouteOptions {
  std::int64_t every = 2;
  double share = 0.5;
  std::string labels = "own";
  double loss = 0.1, base = 1, gain = 1;
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("every", every,
      {.doc = "routed_every of the larger model: the last of each so many layers gets a router",
       .min = 1,
       .max = 65536});
    v("share", share,
      {.doc = "routed_share of the larger model", .min = 0, .max = 1, .above_min = true});
    v("labels", labels,
      {.doc = "routed_labels of the larger model", .choices = {"own", "similarity"}});
    v("loss", loss, {.doc = "routed_loss of the larger model", .min = 0, .max = 1e3});
    v("base", base,
      {.doc = "routed_base of the larger model; with 2 the growth keeps the loss",
       .min = 0,
       .max = 1e3});
    v("gain", gain, {.doc = "routed_gain of the larger model", .min = 0, .max = 1e3});
    state.fields(v);
  }
};

class Route final : public GrowthOperator {
 public:
  explicit Route(const RouteOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (arch::has_routed_layers(from))
      throw usage_error("route: found a model with routed_every {}, expected one without routers",
                        from.routed_every);
    arch::ModelConfig to = from;
    to.routed_every = options_.every;
    to.routed_share = options_.share;
    to.routed_labels = options_.labels;
    to.routed_loss = options_.loss;
    to.routed_base = options_.base;
    to.routed_gain = options_.gain;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    GrowthStep step;
    step.exact = options_.base == 2;
    step.equivariant = step.exact && options_.share == 1;
    for (const arch::ParamSpec& target : arch::param_table(context.to))
      step.tensors.push_back(tensor(target, context));
    apply_rule(options_.state, step);
    return step;
  }

 private:
  static TensorRecipe tensor(const arch::ParamSpec& target, const GrowthContext& context) {
    if (arch::is_token_router(target)) {
      TensorRecipe made;
      begin_layer(made, target, {0, true}, {NewLayers::random}, 0);  // as in a fresh model: zeros
      return made;
    }
    const auto source = static_cast<std::size_t>(context.sources.index(target.name));
    const TensorBlock whole = whole_of(context.sources, source);
    return {.value = {whole}, .gradient = {whole}, .heir_of = source};
  }

  RouteOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_route(const Tree& options) {
  return make_operator<Route, RouteOptions>(options, "route");
}
std::vector<FieldRow> document_route() { return document_fields<RouteOptions>(); }

}  // namespace stagedtrain::grow
