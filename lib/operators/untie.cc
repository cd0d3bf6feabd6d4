// The operator untie gives each pass of a looped core its own copy of the layers (arch/loops.h).
//
// The copies compute what the shared layers computed, in the same order, so the loss is kept to the
// bit. The gradient G of a shared weight was the sum of the gradients g_k of its K uses, and the
// copy of pass k has the gradient g_k from now on. A state holds averages of G alone, so `moments:
// equivariant` shares them equally:
//   exp_avg' = exp_avg / K        exp_avg_sq' = exp_avg_sq / K^2
// The copies' first moments then add up to the old one, which is exact; that each has a K-th of it,
// and the second moment, are exact if all uses have the same gradient. In that case Adam's step
// exp_avg' / (sqrt(exp_avg_sq') + eps / K) of each copy is the step of the shared weight, and
// `dynamics: exact` scales eps so; learning rate and decay stay.
//
// `moments: copy` keeps both moments unscaled. Its first steps are the same, but the gradients that
// follow are smaller by about K, so that the averages fall until they have forgotten the old ones.
#include "arch/loops.h"
#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/looped_growth.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct UntieOptions {
  StateRule state;
  template <class V>
  void fields(V& v) {
    state.fields(v);
  }
};

class Untie final : public GrowthOperator {
 public:
  explicit Untie(const UntieOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (!arch::is_looped(from) || !from.tied_cores)
      throw usage_error("untie: found a model {}, expected one with core above 0 and tied_cores",
                        arch::is_looped(from) ? "whose cores are untied" : "without a looped core");
    arch::ModelConfig to = from;
    to.layers = arch::executed_layers(from);
    to.tied_cores = false;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const arch::ModelConfig& from = context.from;
    const bool is_one_pass = from.passes == 1;
    GrowthStep step = step_by_layers(untied_layers(from), {}, 0, context, options_.state);
    step.exact = true;
    step.equivariant = step.equivariant && is_one_pass;
    const arch::ParamTable targets = arch::param_table(context.to);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const std::int64_t place = targets[i].layer - from.prelude;
      if (place >= 0 && place < from.passes * from.core)
        share(step.tensors[i], place / from.core, 1 / static_cast<double>(from.passes));
    }
    return step;
  }

 private:
  // Gives a tensor of pass `pass` its share of the moments.
  void share(TensorRecipe& made, std::int64_t pass, double share) const {
    const StateRule& rule = options_.state;
    if (rule.dynamics == Dynamics::exact) made.eps_scale *= share;
    if (rule.moments == Moments::copy) return;
    if (rule.moments == Moments::reset_new && pass > 0) made.gradient.clear();
    for (TensorBlock& block : made.gradient) block.scale *= share;
  }

  UntieOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_untie(const Tree& options) {
  return make_operator<Untie, UntieOptions>(options, "untie");
}
std::vector<FieldRow> document_untie() { return document_fields<UntieOptions>(); }

}  // namespace stagedtrain::grow
