// The operator upcycle turns a dense feed-forward into experts behind a router (Sparse Upcycling,
// arXiv 2212.05055). Every expert is a copy of the feed-forward, and the router is fresh. Without
// noise the loss is kept, because the experts are equal and the gates of the chosen ones sum to 1.
#include "base/error.h"
#include "base/signals.h"
#include "grow/layer_growth.h"
#include "operators/expert_copies.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct UpcycleOptions {
  std::int64_t experts = 8, experts_per_token = 2;
  Symmetry symmetry{0, 7};
  StateRule state{Moments::copy};
  template <class V>
  void fields(V& v) {
    v("experts", experts, {.doc = "experts of each layer", .min = 1, .max = 65536});
    v("experts_per_token", experts_per_token,
      {.doc = "experts that a token goes through", .min = 1, .max = 65536});
    v("symmetry", symmetry,
      {.doc = "noise on each expert, after which the loss changes; and the seed of the router"});
    state.fields(v);
  }
};

class Upcycle final : public GrowthOperator {
 public:
  explicit Upcycle(const UpcycleOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (from.experts > 0)
      throw usage_error("the source has {} experts already, expected a dense feed-forward",
                        from.experts);
    arch::ModelConfig to = from;
    to.experts = options_.experts;
    to.experts_per_token = options_.experts_per_token;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    GrowthStep step;
    step.exact = options_.symmetry.noise == 0;
    step.equivariant = false;
    for (const arch::ParamSpec& target : arch::param_table(context.to))
      step.tensors.push_back(tensor(target, context));
    apply_rule(options_.state, step);
    return step;
  }

 private:
  TensorRecipe tensor(const arch::ParamSpec& target, const GrowthContext& context) const {
    stop_point("growing");
    const std::int64_t source = context.sources.index(named_instead(target, ""));
    if (source < 0) {  // a router has no source
      TensorRecipe made;
      begin_layer(made, target, {0, true}, {NewLayers::random}, options_.symmetry.seed);
      return made;
    }
    const TensorBlock whole = whole_of(context.sources, static_cast<std::size_t>(source));
    TensorRecipe made{.value = {whole}, .gradient = {whole}, .heir_of = whole.source};
    made.is_new = target.expert > 0;
    if (target.expert >= 0 && target.axes.size() == 2 && options_.symmetry.noise > 0) {
      made.value.push_back(noise_on(whole, target, options_.symmetry));
    }
    return made;
  }

  UpcycleOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_upcycle(const Tree& options) {
  return make_operator<Upcycle, UpcycleOptions>(options, "upcycle");
}
std::vector<FieldRow> document_upcycle() { return document_fields<UpcycleOptions>(); }

}  // namespace stagedtrain::grow
