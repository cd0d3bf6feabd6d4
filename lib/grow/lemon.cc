// lemon: any larger width and depth, exactly (LEMON, arXiv 2310.07999).
//
// The residual stream (d to d') gets as many whole copies as fit, floor(d' / d), and padding for
// the rest: the mean of the old indices under LayerNorm, zeros under RMSNorm, so that a norm's
// output is zero there. The old indices then hold only the share s = d floor(d' / d) / d' of the
// mean square that a norm sees. With gain * sqrt(s) and eps * s the output at old indices is what
// it was:
//   x sqrt(s) / sqrt(s m + s eps) = x / sqrt(m + eps),   m: the old mean square (padding.h).
// Heads and hidden units are copied in turn, each reader divided by the number of copies: no norm
// sees them, so any number of copies is exact.
//
// Invariant: the loss is kept at every size; the larger model has another norm_eps. Rejected:
// copies in turn on the residual axis as well (rms_copy does that), since a norm then counts the
// indices with one copy more twice, and keeping eps, which is off by as much as eps is of the mean
// square.
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
  StateRule state{Moments::reset_new};  // the best by measurement: docs/log.md
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
