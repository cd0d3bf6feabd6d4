// Makes the maps of the ring, and lists the products of every tensor.
#include "learned/ring_growth.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "learned/start_maps.h"

namespace stagedtrain::grow {
namespace {

using arch::Role;

// A matrix of a block that is `parts` parts, on top of each other or side by side.
struct Kind {
  const char* key;
  std::int64_t parts;
  bool side_by_side = false;
};

std::vector<Kind> kinds_of(const arch::ModelConfig& model) {
  const std::int64_t k = model.ffn / model.width;
  return {{"attention.query.weight", 1}, {"attention.key.weight", 1},
          {"attention.value.weight", 1}, {"attention.output.weight", 1},
          {"mlp.up.weight", k},          {"mlp.down.weight", k, true}};
}

Corner place(const Kind& kind, std::int64_t part, std::int64_t width) {
  return kind.side_by_side ? Corner{0, part * width} : Corner{part * width, 0};
}

class Ring {
 public:
  Ring(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
       const GrowthContext& context, const RingOptions& options)
      : step_(step), context_(context), options_(options), kinds_(kinds_of(context.from)) {
    std::int64_t parts = 0;
    for (const Kind& kind : kinds_) parts += kind.parts;
    DenseMap units = axis_map(axes.of(arch::Axis::residual), 1);
    units.fixed = 0;
    outputs_ = add_maps(units, "outputs");
    inputs_ = add_maps(units, "inputs");
    of_kinds_ = add_maps(identity_map(parts), "kinds");
    of_layers_ = add_maps(layer_map(layers, context.from.layers), "layers");
    list_parts();
  }

  void learn() {
    const arch::ParamTable targets = arch::param_table(context_.to);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      stop_point("growing");
      step_.tensors[i].value.clear();
      step_.tensors[i].products = products_of(targets[i]);
    }
    step_.exact = step_.equivariant = step_.symmetric = false;
  }

 private:
  // Adds the maps of one place in the ring, for each pair of ranks on its two sides, and returns
  // the index of the first. Those of ranks above 0 have no copies to start with.
  std::size_t add_maps(const DenseMap& start, const char* name) {
    const std::size_t first = step_.maps.size();
    for (std::int64_t pair = 0; pair < options_.rank * options_.rank; ++pair) {
      DenseMap map = start;
      if (pair > 0) std::ranges::fill(map.entries, 0);
      const auto stream = hash_name(fmt::format("ring {} {}", name, pair));
      add_noise(map, options_.noise, CounterRng(static_cast<std::uint64_t>(options_.seed), stream));
      step_.maps.push_back(std::move(map));
    }
    return first;
  }
  std::size_t at(std::size_t first, std::int64_t left, std::int64_t right) const {
    return first + static_cast<std::size_t>(left * options_.rank + right);
  }

  std::size_t source(const std::string& name) const {
    const std::int64_t index = context_.sources.index(name);
    ST_CHECK(index >= 0, "{}: the smaller model has no such tensor", name);
    return static_cast<std::size_t>(index);
  }

  // Lists the parts of all kinds and layers.
  void list_parts() {
    const std::int64_t width = context_.from.width;
    parts_.extent = {width, width};
    for (const Kind& kind : kinds_)
      for (std::int64_t part = 0; part < kind.parts; ++part)
        for (int layer = 0; layer < context_.from.layers; ++layer) {
          parts_.sources.push_back(source(arch::layer_name(layer, kind.key)));
          parts_.from.push_back(place(kind, part, width));
        }
  }

  std::vector<MapProduct> products_of(const arch::ParamSpec& target) const {
    std::int64_t row = 0;
    for (const Kind& kind : kinds_) {
      if (target.key == kind.key) return products_of(target, kind, row);
      row += kind.parts;
    }
    return target.axes.size() == 2 ? embedding(target) : vectors(target);
  }

  // `row` is that of the kind's first part in the map of kinds.
  std::vector<MapProduct> products_of(const arch::ParamSpec& target, const Kind& kind,
                                      std::int64_t row) const {
    std::vector<MapProduct> products;
    for (std::int64_t part = 0; part < kind.parts; ++part) {
      MapProduct product = parts_;
      product.to = place(kind, part, context_.to.width);
      add_ring(product, target.layer, row + part, products);
    }
    return products;
  }

  // Adds a product for each combination of ranks.
  void add_ring(MapProduct product, std::int64_t layer, std::int64_t kind,
                std::vector<MapProduct>& products) const {
    const std::int64_t rank = options_.rank;
    for (std::int64_t r1 = 0; r1 < rank; ++r1)
      for (std::int64_t r2 = 0; r2 < rank; ++r2)
        for (std::int64_t r3 = 0; r3 < rank; ++r3)
          for (std::int64_t r4 = 0; r4 < rank; ++r4) {
            product.kinds = MapRow{at(of_kinds_, r1, r2), kind};
            product.rows = MapUse{at(outputs_, r2, r3)};
            product.layers = MapRow{at(of_layers_, r3, r4), layer};
            product.columns = MapUse{at(inputs_, r4, r1), 1, true};
            products.push_back(product);
          }
  }

  // Embeddings are written by the map of outputs; an untied head reads by that of inputs.
  std::vector<MapProduct> embedding(const arch::ParamSpec& target) const {
    MapProduct product{.sources = {source(target.name)}};
    product.columns = target.role == Role::head ? MapUse{inputs_, 1, true} : MapUse{outputs_};
    return {product};
  }

  // A norm or a bias. The hidden units have k parts.
  std::vector<MapProduct> vectors(const arch::ParamSpec& target) const {
    const bool reads = target.role == Role::final_norm && context_.from.tied;
    MapProduct product;
    product.rows = reads ? MapUse{inputs_, 1, true} : MapUse{outputs_};
    if (target.layer < 0) {
      product.sources = {source(target.name)};
      return {product};
    }
    product.layers = MapRow{of_layers_, target.layer};
    for (int layer = 0; layer < context_.from.layers; ++layer)
      product.sources.push_back(source(arch::layer_name(layer, target.key)));
    product.extent = {context_.from.width, 1};
    std::vector<MapProduct> products;
    for (std::int64_t part = 0; part < target.axes[0].size / context_.to.width; ++part) {
      product.from.assign(product.sources.size(), {part * context_.from.width, 0});
      product.to = {part * context_.to.width, 0};
      products.push_back(product);
    }
    return products;
  }

  GrowthStep& step_;
  const GrowthContext& context_;
  const RingOptions& options_;
  std::vector<Kind> kinds_;
  std::size_t outputs_ = 0, inputs_ = 0, of_kinds_ = 0, of_layers_ = 0;  // the first map of each
  MapProduct parts_;
};

}  // namespace

void check_ring(const arch::ModelConfig& m, const char* what) {
  const arch::BlockStyle& style = arch::block_style(m);
  if (style.rotary || style.gated || style.head_norms != arch::HeadNorms::none || m.experts > 0)
    throw usage_error(
        "{}: found {}, expected gpt2 without experts: its map of outputs mixes the rows of queries "
        "and keys freely, which rotary positions and norms of heads do not allow",
        what, m.experts > 0 ? "experts" : m.architecture)
        .with_hint("ligo grows every architecture");
  if (m.heads * m.head_dim != m.width || m.value_dim != m.head_dim || m.ffn % m.width != 0)
    throw usage_error(
        "{}: found {} heads of {} (values of {}) and {} hidden units in a width of {}, expected "
        "heads x head_dim = width and a multiple of it in ffn, because it cuts all matrices into "
        "parts of width x width",
        what, m.heads, m.head_dim, m.value_dim, m.ffn, m.width)
        .with_hint("ligo grows models of any shape");
}

AxisMap ring_units(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  std::vector<std::int64_t> sources;
  for (std::int64_t part = 0; part < from.ffn / from.width; ++part)
    for (std::int64_t i = 0; i < to.width; ++i)
      sources.push_back(part * from.width + i % from.width);
  return map_units(sources, from.ffn);
}

void learn_ring(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
                const GrowthContext& context, const RingOptions& options) {
  Ring(step, axes, layers, context, options).learn();
}

}  // namespace stagedtrain::grow
