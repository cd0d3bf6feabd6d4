// Chooses the maps of a learned growth and the product of every tensor.
//
// Which axis a tensor writes and which it reads is the rule of axis_growth.cc, role by role. A test
// compares the two: with the maps that they start with, products give every tensor of a growth by
// copies, bit for bit (tests/learned/learned_growth_test.cc).
#include "learned/learned_growth.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/signals.h"
#include "learned/start_maps.h"

namespace stagedtrain::grow {
namespace {

using arch::Axis;
using arch::Role;

// Which map an axis has within a layer, and how many indices are one of its units.
struct MapKey {
  std::string name;
  std::int64_t unit = 1;
};

class Learner {
 public:
  Learner(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
          const GrowthContext& context, double noise, std::int64_t seed)
      : step_(step),
        axes_(axes),
        layers_(layers),
        context_(context),
        noise_(noise),
        seed_(static_cast<std::uint64_t>(seed)) {}

  void learn() {
    const arch::ParamTable targets = arch::param_table(context_.to);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      stop_point("growing");
      TensorRecipe& made = step_.tensors[i];
      MapProduct product = product_of(targets[i]);
      if (!product.rows && !product.columns && !product.layers) continue;  // a plain copy
      made.value.clear();
      made.products = {std::move(product)};
    }
    step_.exact = step_.equivariant = step_.symmetric = false;
  }

 private:
  MapProduct product_of(const arch::ParamSpec& target) {
    MapProduct product;
    set_uses(target, product);
    if (target.layer >= 0 && context_.from.layers != context_.to.layers) {
      const std::size_t map = map_index("layers of " + target.key,
                                        [&] { return layer_map(layers_, context_.from.layers); });
      product.layers = MapRow{map, target.layer};
      for (std::int64_t layer = 0; layer < context_.from.layers; ++layer)
        product.sources.push_back(source(target, {layer, false}));
    } else {
      product.sources = {source(target, source_layer(layers_, target))};
    }
    return product;
  }

  std::size_t source(const arch::ParamSpec& target, const LayerSource& layer) const {
    const std::int64_t index = context_.sources.index(source_name(target, layer));
    ST_CHECK(index >= 0, "{}: the smaller model has no such tensor", target.name);
    return static_cast<std::size_t>(index);
  }

  void set_uses(const arch::ParamSpec& target, MapProduct& product) {
    const bool is_matrix = target.axes.size() == 2;
    switch (target.role) {
      case Role::embed:
        product.columns = use(target.axes[1].axis, target.layer, false);
        return;
      case Role::final_norm:
        product.rows = use(target.axes[0].axis, target.layer, context_.from.tied);
        return;
      case Role::norm:
      case Role::branch_norm:
      case Role::head_norm:
      case Role::head:
      case Role::matrix:
      case Role::residual_out:
      case Role::bias:
        product.rows = use(target.axes[0].axis, target.layer, false);
        if (is_matrix) product.columns = use(target.axes[1].axis, target.layer, true);
        return;
    }
  }

  std::optional<MapUse> use(Axis axis, int layer, bool reads) {
    const AxisMap& map = axes_.of(axis);
    if (map.from == map.to) return {};
    const MapKey key = key_of(axis, layer);
    return MapUse{map_index(key.name, [&] { return axis_map(map, key.unit); }), key.unit, reads};
  }

  MapKey key_of(Axis axis, int layer) const {
    const arch::ModelConfig& from = context_.from;
    const std::int64_t shared = from.heads / from.kv_heads;  // query heads of a key
    const bool turned = arch::block_style(from).rotary,
               normed = arch::block_style(from).head_norms != arch::HeadNorms::none;
    const bool whole = shared > 1 || turned || normed;
    const auto in_layer = [&](const char* what) { return fmt::format("{} {}", what, layer); };
    switch (axis) {
      case Axis::query:
        return whole ? MapKey{in_layer("heads"), shared * from.head_dim}
                     : MapKey{in_layer("queries")};
      case Axis::key:
        return whole ? MapKey{in_layer("heads"), from.head_dim} : MapKey{in_layer("keys")};
      case Axis::value:
        return {in_layer("values"), shared > 1 ? from.value_dim : 1};
      case Axis::heads:
        return {in_layer("values"), shared > 1 ? shared * from.value_dim : 1};
      case Axis::ffn:
        return {in_layer("hidden units")};
      default:
        return {"residual"};
    }
  }

  // Returns the index of the map of this name, which `make` makes if it is new.
  template <class Make>
  std::size_t map_index(const std::string& name, Make make) {
    const auto [found, is_new] = indices_.try_emplace(name, step_.maps.size());
    if (is_new) {
      step_.maps.push_back(make());
      if (noise_ > 0) add_noise(step_.maps.back(), noise_, CounterRng(seed_, hash_name(name)));
    }
    return found->second;
  }

  GrowthStep& step_;
  const AxisGrowth& axes_;
  const LayerMap& layers_;
  const GrowthContext& context_;
  double noise_;
  std::uint64_t seed_;
  std::map<std::string, std::size_t> indices_;
};

}  // namespace

void learn_maps(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
                const GrowthContext& context, double noise, std::int64_t seed) {
  Learner(step, axes, layers, context, noise, seed).learn();
}

double map_flops(const GrowthStep& step) {
  const arch::ParamTable sources = arch::param_table(step.from);
  double flops = 0;
  for (const TensorRecipe& made : step.tensors)
    for (const MapProduct& product : made.products) {
      const Corner from = source_extent(product, sources), to = size_of(product, step.maps, from);
      const auto products = [](std::int64_t rows, std::int64_t in, std::int64_t out,
                               const MapUse& use) {
        return 2.0 * static_cast<double>(rows) * static_cast<double>(in) *
               static_cast<double>(out) / static_cast<double>(use.unit);
      };
      if (product.columns) flops += 3 * products(from[0], from[1], to[1], *product.columns);
      if (product.rows) flops += 3 * products(to[1], from[0], to[0], *product.rows);
      if (product.layers)
        flops += 4.0 * static_cast<double>(product.sources.size()) *
                 static_cast<double>(from[0] * from[1]);
    }
  return flops;
}

bool needs_fit(const GrowthRecipe& recipe) {
  return std::any_of(recipe.steps.begin(), recipe.steps.end(),
                     [](const GrowthStep& step) { return step.fit.steps > 0 && !step.fit.done; });
}

}  // namespace stagedtrain::grow
