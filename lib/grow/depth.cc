// depth: more layers by a layer map (Staged Training, arXiv 2203.06211, section 3.1; zeroed outputs
// instead of zeroed norms: docs/growth.md).
#include <optional>

#include "base/error.h"
#include "grow/operator.h"

namespace stagedtrain::grow {

enum class LayerOrder { alternate, append };
enum class NewLayers { zero_output, copied };
enum class NewMoments { reset, copy };

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::LayerOrder> {
  static constexpr std::array names{"alternate", "append"};
};
template <>
struct EnumNames<grow::NewLayers> {
  static constexpr std::array names{"zero_output", "copied"};
};
template <>
struct EnumNames<grow::NewMoments> {
  static constexpr std::array names{"reset", "copy"};
};
}  // namespace stagedtrain

namespace stagedtrain::grow {
namespace {

struct DepthOptions {
  std::optional<std::int64_t> layers, factor;
  LayerOrder order = LayerOrder::alternate;
  NewLayers new_layers = NewLayers::zero_output;
  NewMoments moments = NewMoments::reset;
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "number of layers after the growth; or give factor", .min = 1, .max = 65536});
    v("factor", factor, {.doc = "how many times deeper; or give layers", .min = 1, .max = 1024});
    v("order", order,
      {.doc = "alternate: new layers follow the layer they copy; append: they follow all old "
              "layers, in the old order"});
    v("new_layers", new_layers,
      {.doc = "zero_output: copies whose two outputs into the residual stream are zero, so the "
              "loss is kept; copied: plain copies, the loss changes"});
    v("moments", moments,
      {.doc = "Adam moments of new layers: zero, with their own bias correction, or copied"});
  }
};

class Depth final : public GrowthOperator {
 public:
  explicit Depth(const DepthOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = from;
    to.layers = options_.layers ? *options_.layers : *options_.factor * from.layers;
    if (to.layers < from.layers)
      throw usage_error("depth to {} layers: the source has {}, expected at least as many",
                        to.layers, from.layers);
    return arch::resolved(to);
  }

  bool exact() const override { return options_.new_layers == NewLayers::zero_output; }
  bool equivariant() const override { return exact(); }
  Tree options() const override { return write_fields(options_); }

  TensorRecipe rule(const arch::ParamSpec& target, const GrowthContext& context) const override {
    bool is_new = false;
    std::string name = target.name;
    if (target.layer >= 0)
      name = arch::layer_name(source_layer(target.layer, context, is_new), target.key);
    BlockCopy whole;
    whole.source = static_cast<std::size_t>(context.sources.index(name));
    whole.extent = corner_of(target);
    TensorRecipe recipe{{whole}, {whole}, false, is_new};
    if (!is_new) return recipe;
    const bool silent =
        options_.new_layers == NewLayers::zero_output && target.role == arch::Role::residual_out;
    if (silent) recipe.value.clear();
    if (options_.moments == NewMoments::reset) {
      recipe.gradient.clear();
      recipe.moments_reset = true;
    }
    return recipe;
  }

 private:
  // The old layer that layer t of the larger model copies, and whether t is new. With alternate the
  // new layers are spread evenly, each directly after the old one that it copies.
  int source_layer(int t, const GrowthContext& context, bool& is_new) const {
    const std::int64_t old_layers = context.from.layers, new_layers = context.to.layers;
    if (options_.order == LayerOrder::append) {
      is_new = t >= old_layers;
      return static_cast<int>(t % old_layers);
    }
    const std::int64_t source = t * old_layers / new_layers;
    is_new = t > 0 && (t - 1) * old_layers / new_layers == source;
    return static_cast<int>(source);
  }

  DepthOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_depth(const Tree& options) {
  DepthOptions read;
  read_fields(options, read, "depth");
  if (read.layers.has_value() == read.factor.has_value())
    throw options.error("depth: found {} of layers and factor, expected one of them",
                        read.layers ? "both" : "neither");
  return std::make_unique<Depth>(read);
}

std::vector<FieldRow> document_depth() { return document_fields<DepthOptions>(); }

}  // namespace stagedtrain::grow
