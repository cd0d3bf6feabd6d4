// The operator experts makes copies of the experts of every layer (Expert Upcycling, arXiv
// 2604.19835).
//
// Each expert E and its row of the router become `factor` = m copies. A token chooses the k experts
// with the largest logits z, and the gates are the softmax over the k chosen logits, exp(z) / Z.
// Copies of an expert have equal logits, so they follow one another in the order of choice. If m k
// experts are chosen, these are all copies of the k that were chosen before, each with 1/m of the
// old gate, and the copies of an expert add up to it:
//   sum over m copies of exp(z) / (m Z) E(x) = exp(z) / Z E(x)
// Gates that are the softmax over all experts (norm_topk: false) become 1/m of themselves likewise.
// So the loss is kept, every copy of an expert and of a row has 1/m of the old gradient, and
// moments grow by 1/m and 1/m^2. The price is m times the FLOPs of the feed-forward.
//
// The paper keeps k, and with it the FLOPs. Then copies of the best experts displace the other
// experts, and the loss changes, except for k = 1 and normalised gates: only copies of one expert
// are chosen then, and their gates sum to 1. If fewer than m experts are chosen, a token always
// gets the first copies of one expert. Their normalised gates have no gradient, so the rows of all
// copies stay equal and the other copies are never chosen, unless the load-balancing loss
// (router_loss) separates the rows. Noise on the rows of the new copies lets tokens choose
// different copies. The paper adds it to biases, which our routers do not have.
//
// Rejected: more copies of experts with large gradients. A stored state has no gradients.
#include "base/error.h"
#include "grow/axis_growth.h"
#include "grow/state_rule.h"
#include "operators/expert_copies.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct ExpertsOptions {
  std::int64_t factor = 2;
  std::optional<std::int64_t> experts_per_token;
  Symmetry symmetry;
  StateRule state{Moments::copy};
  template <class V>
  void fields(V& v) {
    v("factor", factor, {.doc = "factor of the number of experts", .min = 1, .max = 1024});
    v("experts_per_token", experts_per_token,
      {.doc = "experts that a token goes through after the growth (default: as many as before). "
              "factor times as many as before keep the loss, without noise",
       .min = 1,
       .max = 65536});
    v("symmetry", symmetry,
      {.doc = "noise on the router's rows of new copies, after which the loss changes; 0: copies "
              "that are always chosen together stay equal forever"});
    state.fields(v);
  }
};

class Experts final : public GrowthOperator {
 public:
  explicit Experts(const ExpertsOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (from.experts == 0)
      throw usage_error("experts multiplies experts, but the source has a dense feed-forward")
          .with_hint("--operator upcycle makes experts of it");
    arch::ModelConfig to = from;
    to.experts *= options_.factor;
    to.experts_per_token = options_.experts_per_token.value_or(from.experts_per_token);
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const std::int64_t before = context.from.experts_per_token,
                       chosen = context.to.experts_per_token, copies = options_.factor;
    const bool quiet = options_.symmetry.noise == 0 || copies == 1;
    GrowthStep step;
    step.equivariant = quiet && chosen == copies * before;
    step.exact =
        step.equivariant || (quiet && before == 1 && chosen <= copies && context.to.norm_topk);
    const bool always_first =
        chosen < copies && context.to.router_loss == 0 && context.to.norm_topk;
    step.symmetric = quiet && copies > 1 && (chosen % copies == 0 || always_first);
    AxisGrowth axes = unchanged_axes(context.from);
    axes.of(arch::Axis::experts) = repeated(context.from.experts, context.to.experts);
    for (const arch::ParamSpec& target : arch::param_table(context.to))
      step.tensors.push_back(tensor(axes, target, context));
    apply_rule(options_.state, step);
    return step;
  }

 private:
  TensorRecipe tensor(const AxisGrowth& axes, const arch::ParamSpec& target,
                      const GrowthContext& context) const {
    const std::int64_t source = context.sources.index(
        named_instead(target, fmt::format("experts.{}.", target.expert % context.from.experts)));
    ST_CHECK(source >= 0, "{}: the smaller model has no such tensor", target.name);
    TensorRecipe made = tensor_by_axes(axes, target, context.sources,
                                       static_cast<std::size_t>(source), context.from.tied);
    if (target.expert >= 0) share_gradient(made, target.expert / context.from.experts);
    if (target.axes[0].axis == arch::Axis::experts && options_.factor > 1)
      add_noise(made, target, context.from.experts);
    return made;
  }

  // Gives this copy of an expert its share of the gradient, 1 / factor. `copy` is its number.
  void share_gradient(TensorRecipe& made, std::int64_t copy) const {
    const double share = 1 / static_cast<double>(options_.factor);
    for (std::vector<TensorBlock>* blocks : {&made.value, &made.gradient})
      for (TensorBlock& block : *blocks) block.tile = {copy, 0};
    for (TensorBlock& block : made.gradient) block.scale *= share;
    made.eps_scale *= share;
  }

  // Adds noise to the router's rows of the new copies. Those of the first copies stay as they are.
  void add_noise(TensorRecipe& made, const arch::ParamSpec& router, std::int64_t experts) const {
    if (options_.symmetry.noise == 0) return;
    const Corner size = corner_of(router);
    TensorBlock rows;
    rows.source = *made.heir_of;
    rows.from = rows.to = {experts, 0};
    rows.extent = {size[0] - experts, size[1]};
    made.value.push_back(noise_on(rows, router, options_.symmetry));
  }

  ExpertsOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_experts(const Tree& options) {
  return make_operator<Experts, ExpertsOptions>(options, "experts");
}
std::vector<FieldRow> document_experts() { return document_fields<ExpertsOptions>(); }

}  // namespace stagedtrain::grow
