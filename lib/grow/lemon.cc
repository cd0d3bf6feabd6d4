// The operator lemon reaches any larger width and depth exactly (LEMON, arXiv 2310.07999).
//
// The residual stream, from d to d', gets as many whole copies as fit, floor(d' / d), and padding
// after them: the mean of the old indices under LayerNorm, zeros under RMSNorm. In both cases the
// output of a norm is zero there. The old indices then hold only a share of the mean square m that
// a norm sees, s = d floor(d' / d) / d'. Multiplying gains by sqrt(s) and eps by s makes up for it
// exactly:
//   x sqrt(s) / sqrt(s m + s eps) = x / sqrt(m + eps)        (padding.h)
// Heads and hidden units are copied in turn, and each reader is divided by the number of copies. No
// norm sees them, so any number of copies is exact.
//
// Invariant: the loss is kept at every size. The price is that the larger model has another
// norm_eps.
//
// Rejected:
// - Copies in turn on the residual axis too: a norm would then count the indices with one more copy
//   more often than others. The operator rms_copy accepts that.
// - Zeros under LayerNorm: they move the mean. The error was 0.4 in a small model.
// - Keeping eps: the error was 1e-5, about as large as eps is relative to the mean square.
#include "grow/axis_operator.h"
#include "grow/head_growth.h"
#include "grow/operators.h"
#include "grow/padding.h"
#include "grow/target_sizes.h"

namespace stagedtrain::grow {
namespace {

constexpr std::int64_t kAllTiles = 1 << 24;

struct LemonOptions {
  TargetSizes sizes;
  Symmetry symmetry;
  StateRule state{Moments::reset_new};  // the best measured: docs/log.md
  template <class V>
  void fields(V& v) {
    sizes.fields(v);
    v("symmetry", symmetry,
      {.doc = "the break between the copies, and the seed of random readers"});
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
