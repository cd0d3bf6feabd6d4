// The operator lemon reaches any larger width and depth without changing the loss (LEMON, arXiv
// 2310.07999; docs/growth.md, "Operators of width").
//
// A residual stream that grows from d to d' indices gets k = floor(d' / d) whole copies, as many as
// fit, and then padding: zeros under RMSNorm, the mean of the old indices under LayerNorm. Either
// way the output of a norm is zero in the padding, so its readers may have any weights and start
// random. The mean square that a norm sees falls from m to s m, where s = k d / d' is the share of
// indices that are copies. Multiplying gains by sqrt(s) and eps by s compensates exactly:
//   x sqrt(s) / sqrt(s m + s eps) = x / sqrt(m + eps)        (norm_share in padding.h)
// Heads and hidden units are copied in turn, and the weights of their readers are divided by the
// number of copies. Norms of the residual stream do not see them, so any number of copies is exact
// (head_growth.cc refuses heads that norms of queries and keys would notice). New layers have zero
// outputs.
//
// Invariant: the loss is kept at every size. The price is that the larger model has another
// norm_eps, which it keeps in its configuration.
//
// Rejected:
// - Copies in turn on the residual axis too: norms would weigh indices with one copy more than the
//   others too highly. The operator rms_copy accepts that.
// - Zeros under LayerNorm: they move the mean. The error was 0.4 in a small model.
// - Keeping eps: the error was 1e-5, about the size of eps relative to the mean square.
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/head_growth.h"
#include "widths/padding.h"
#include "widths/target_sizes.h"

namespace stagedtrain::grow {
namespace {

constexpr std::int64_t kAllTiles = 1 << 24;

struct LemonOptions {
  TargetSizes sizes;
  Symmetry symmetry;
  StateRule state{Moments::reset_new};  // the best choice in the measurements of docs/log.md
  template <class V>
  void fields(V& v) {
    sizes.fields(v);
    v("symmetry", symmetry,
      {.doc = "noise that breaks the symmetry between copies, and the seed of random readers"});
    state.fields(v);
  }
};

class Lemon final : public GrowthOperator {
 public:
  explicit Lemon(const LemonOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = options_.sizes.grown(from, "lemon");
    to.norm_eps *= norm_share(from.width, to.width, kAllTiles);
    return to;
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const arch::ModelConfig &from = context.from, &to = context.to;
    AxisGrowth axes = unchanged_axes(from);
    pad_residual(axes, context, kAllTiles);
    axes.of(arch::Axis::ffn) = repeated(from.ffn, to.ffn);
    grow_heads(axes, from, to, true, turns_positions(context.sources));
    axes.noise = options_.symmetry.noise;
    axes.seed = options_.symmetry.seed;
    WholeGrowth growth = growth_of_axes(std::move(axes), context);
    growth.layers = ordered_layers(from.layers, to.layers, LayerOrder::alternate);
    growth.equivariant = !splits_groups(from, to);
    return step_by_axes(growth, context, options_.state);
  }

 private:
  LemonOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_lemon(const Tree& options) {
  return make_operator<Lemon, LemonOptions>(options, "lemon");
}
std::vector<FieldRow> document_lemon() { return document_fields<LemonOptions>(); }

}  // namespace stagedtrain::grow
