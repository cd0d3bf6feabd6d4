// lemon: any larger width and depth, exactly (LEMON, arXiv 2310.07999): whole copies of the
// residual stream, padding for the rest, norms corrected; heads and hidden units copied in turn.
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
    arch::ModelConfig to = options_.sizes.grown(from);
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
