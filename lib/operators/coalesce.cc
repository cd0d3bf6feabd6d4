// The operators coalesce, which makes a state smaller, and decoalesce, which makes it larger again
// (multi-level framework, arXiv 2404.07999).
//
// coalesce replaces groups of indices and of layers by their means, and adds up the weights of the
// indices' readers. decoalesce copies indices and layers, and divides the weights of readers by the
// number of copies. decoalesce followed by coalesce gives back the weights and exp_avg. exp_avg_sq
// comes back smaller, because the scales of a mean are squared as if its terms were independent,
// although copies are equal (docs/growth.md, "Two equations").
#include <algorithm>

#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct Factors {
  std::int64_t width = 2, layers = 2;
  template <class V>
  void fields(V& v) {
    v("width", width,
      {.doc = "factor of width, heads, kv_heads and ffn; 1: unchanged", .min = 1, .max = 64});
    v("layers", layers,
      {.doc = "factor of the number of layers; 1: unchanged", .min = 1, .max = 64});
  }
};

struct CoalesceOptions {
  Factors factors;
  StateRule state;
  template <class V>
  void fields(V& v) {
    factors.fields(v);
    state.fields(v);
  }
};

struct DecoalesceOptions {
  Factors factors;
  Symmetry symmetry{0.0, 7};
  StateRule state;
  template <class V>
  void fields(V& v) {
    factors.fields(v);
    v("symmetry", symmetry, {.doc = "noise that breaks the symmetry between copies"});
    state.fields(v);
  }
};

void divide(std::int64_t& size, std::int64_t factor, const char* name) {
  if (size % factor != 0)
    throw usage_error(
        "coalesce divides {} by {}: the source has {}, expected a multiple of the factor", name,
        factor, size)
        .with_hint("--width and --layers are factors to shrink by; 1 keeps the size");
  size /= factor;
}

class Coalesce final : public GrowthOperator {
 public:
  explicit Coalesce(const CoalesceOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    const Factors& f = options_.factors;
    arch::ModelConfig to = from;
    divide(to.layers, f.layers, "layers");
    divide(to.width, f.width, "width");
    divide(to.heads, f.width, "heads");
    divide(to.kv_heads, f.width, "kv_heads");
    divide(to.ffn, f.width, "ffn");
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    GrowthStep step;
    const AxisGrowth axes = small_axes(context);
    step.exact = step.equivariant = options_.factors.width == 1 && options_.factors.layers == 1;
    for (const arch::ParamSpec& target : arch::param_table(context.to))
      step.tensors.push_back(mean_of_layers(axes, target, context));
    apply_rule(options_.state, step);
    return step;
  }

 private:
  // Returns the maps that merge the indices of every axis that becomes smaller.
  static AxisGrowth small_axes(const GrowthContext& context) {
    AxisGrowth axes = unchanged_axes(context.from);
    for (const arch::ParamSpec& spec : arch::param_table(context.to))
      for (const arch::AxisSize& axis : spec.axes) {
        AxisMap& map = axes.of(axis.axis);
        if (map.from != axis.size) map = merged(map.from, axis.size);
      }
    return axes;
  }

  // Returns the recipe of the mean over the old layers that the layer of `target` replaces. It
  // inherits the optimizer scales of the first of them.
  TensorRecipe mean_of_layers(const AxisGrowth& axes, const arch::ParamSpec& target,
                              const GrowthContext& context) const {
    const std::int64_t group = target.layer < 0 ? 1 : options_.factors.layers;
    TensorRecipe made;
    for (std::int64_t i = 0; i < group; ++i) {
      const std::int64_t source = context.sources.index(
          source_name(target, {std::max(target.layer, 0) * group + i, false}));
      TensorRecipe part = tensor_by_axes(axes, target, context.sources,
                                         static_cast<std::size_t>(source), context.from.tied);
      take(made.value, part.value, i, group);
      take(made.gradient, part.gradient, i, group);
      if (i == 0) {
        made.heir_of = part.heir_of;
        made.lr_scale = part.lr_scale;
        made.decay_scale = part.decay_scale;
        made.eps_scale = part.eps_scale;
      }
    }
    return made;
  }

  // Adds the blocks of layer i of a group to the mean.
  static void take(std::vector<TensorBlock>& all, std::vector<TensorBlock>& part, std::int64_t i,
                   std::int64_t group) {
    for (TensorBlock& block : part) {
      block.scale /= static_cast<double>(group);
      block.add |= i > 0;
      all.push_back(block);
    }
  }

  CoalesceOptions options_;
};

class Decoalesce final : public GrowthOperator {
 public:
  explicit Decoalesce(const DecoalesceOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    const Factors& f = options_.factors;
    arch::ModelConfig to = from;
    to.layers *= f.layers;
    for (std::int64_t* size : {&to.width, &to.heads, &to.kv_heads, &to.ffn}) *size *= f.width;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const arch::ModelConfig &from = context.from, &to = context.to;
    WholeGrowth growth = growth_of_axes(copied_axes(context, options_.symmetry), context);
    growth.layers = ordered_layers(from.layers, to.layers, LayerOrder::alternate);
    for (LayerSource& layer : growth.layers) layer.is_new = false;  // no copy of a layer is new
    GrowthStep step = step_by_axes(growth, context, options_.state);
    if (options_.state.moments == Moments::reset_new && options_.factors.layers > 1)
      forget_copies(context, step);
    return step;
  }

 private:
  // Zeroes the moments of repeated layers for reset_new, which knows copies by their tiles and so
  // misses copies of whole layers.
  void forget_copies(const GrowthContext& context, GrowthStep& step) const {
    const arch::ParamTable targets = arch::param_table(context.to);
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (targets[i].layer > 0 && targets[i].layer % options_.factors.layers != 0)
        step.tensors[i].gradient.clear();
    step.equivariant = step.symmetric = false;
  }

  DecoalesceOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_coalesce(const Tree& options) {
  return make_operator<Coalesce, CoalesceOptions>(options, "coalesce");
}
std::vector<FieldRow> document_coalesce() { return document_fields<CoalesceOptions>(); }
std::unique_ptr<GrowthOperator> make_decoalesce(const Tree& options) {
  return make_operator<Decoalesce, DecoalesceOptions>(options, "decoalesce");
}
std::vector<FieldRow> document_decoalesce() { return document_fields<DecoalesceOptions>(); }

}  // namespace stagedtrain::grow
