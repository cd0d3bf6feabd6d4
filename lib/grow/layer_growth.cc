// Builds the maps of layers, and the recipes that the tensors of new layers start with.
#include "grow/layer_growth.h"

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::grow {
namespace {

using arch::Role;

bool keeps_order(const LayerMap& layers, std::int64_t from) {
  std::int64_t next = 0;
  for (const LayerSource& layer : layers)
    if (!layer.is_new && layer.layer != next++) return false;
  return next == from;
}

bool has_new(const LayerMap& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const LayerSource& l) { return l.is_new; });
}

// Returns the block that fills the tensor with the initial values of a fresh model.
TensorBlock fresh_block(const arch::ParamSpec& target, std::int64_t seed) {
  TensorBlock block;
  const bool normal = target.init.kind == arch::Init::Kind::normal;
  block.kind = normal ? TensorBlock::Kind::normal : TensorBlock::Kind::constant;
  block.extent = corner_of(target);
  block.scale = target.init.value;
  block.stream = hash_name(fmt::format("{} fresh {}", target.name, seed));
  block.noise_columns = block.extent[1];
  return block;
}

// Returns whether the tensor scales what a branch adds to the residual stream. If a norm follows
// the branch, only its gain does, because it normalises everything before it.
bool is_output(const arch::ParamSpec& target) {
  return target.role == Role::residual_out || target.role == Role::branch_norm;
}

// Returns whether the tensor is zero in new layers that start as the identity.
bool is_silent(const arch::ParamSpec& target, NewLayers new_layers) {
  if (new_layers != NewLayers::zero_output && new_layers != NewLayers::identity) return false;
  return is_output(target) || (target.role == Role::norm && new_layers == NewLayers::identity);
}

// Replaces the values by their mean with those of the layer above.
void add_half(std::vector<TensorBlock>& value, const std::vector<TensorBlock>& above) {
  for (TensorBlock& block : value) block.scale /= 2;
  for (TensorBlock block : above) {
    block.scale /= 2;
    block.add = true;
    value.push_back(block);
  }
}

// Replaces the values by the midpoint of the arc from them to those of the layer above.
void bend_halfway(std::vector<TensorBlock>& value, const std::vector<TensorBlock>& above) {
  for (TensorBlock block : above) {
    block.kind = TensorBlock::Kind::slerp;
    value.push_back(block);
  }
}

void check_block(std::int64_t from, std::int64_t to, std::int64_t block, bool whole) {
  if (block > from)
    throw usage_error("block: found {}, expected at most the source's {} layers", block, from);
  if (whole && (from % block != 0 || to % block != 0))
    throw usage_error(
        "order: middle from {} to {} layers: expected whole multiples of the block of {}", from, to,
        block)
        .with_hint("give --block N that divides both, or another order");
}

LayerMap repeated_middle(std::int64_t from, std::int64_t to, std::int64_t block) {
  LayerMap layers;
  for (std::int64_t t = 0; t < from; ++t) layers.push_back({t, false});
  while (static_cast<std::int64_t>(layers.size()) < to) {
    const std::int64_t blocks = static_cast<std::int64_t>(layers.size()) / block;
    const auto begin = layers.begin() + ((blocks + 1) / 2 - 1) * block, end = begin + block;
    LayerMap copies(begin, end);
    for (LayerSource& copy : copies) copy.is_new = true;
    layers.insert(end, copies.begin(), copies.end());
  }
  return layers;
}

// Returns the map of two copies of the model, the first without its last layers and the second
// without its first ones.
LayerMap overlapping(std::int64_t from, std::int64_t to) {
  if (to > from && (to % 2 != 0 || to > 2 * from))
    throw usage_error(
        "order: overlap from {} to {} layers: expected an even number, at most {}, because it "
        "removes the same number of layers from two copies of the model",
        from, to, 2 * from);
  std::vector<std::int64_t> list;
  const std::int64_t half = (to + 1) / 2;
  for (std::int64_t t = 0; t < to; ++t) list.push_back(t < half ? t : from - to + t);
  return listed_layers(from, list);
}

// Returns the map in which each new layer follows an old one below the top, from the top on.
LayerMap in_upper_gaps(std::int64_t from, std::int64_t to) {
  const std::int64_t gaps = std::max<std::int64_t>(1, from - 1), added = to - from;
  LayerMap layers;
  for (std::int64_t i = 0; i < from; ++i) {
    layers.push_back({i, false});
    const std::int64_t from_top = gaps - 1 - i;  // of the gap above layer i
    const std::int64_t here = from_top < 0 ? 0 : added / gaps + (from_top < added % gaps ? 1 : 0);
    layers.insert(layers.end(), static_cast<std::size_t>(here), {i, true});
  }
  return layers;
}

}  // namespace

LayerMap ordered_layers(std::int64_t from, std::int64_t to, LayerOrder order, std::int64_t block) {
  const bool middle = order == LayerOrder::middle;
  if (block == 0) block = middle ? std::max<std::int64_t>(1, to - from) : 1;
  if (from == 0) return LayerMap(static_cast<std::size_t>(to), {kNoLayer, true});
  check_block(from, to, block, middle);
  if (middle) return repeated_middle(from, to, block);
  if (order == LayerOrder::overlap) return overlapping(from, to);
  if (order == LayerOrder::upper) return in_upper_gaps(from, to);
  LayerMap layers;
  for (std::int64_t t = 0; t < to; ++t) {
    if (order == LayerOrder::append) {
      layers.push_back({t % from, t >= from});
    } else if (order == LayerOrder::last) {
      layers.push_back({t < from ? t : from - block + (t - from) % block, t >= from});
    } else {
      const std::int64_t source = t * from / to;
      layers.push_back({source, t > 0 && (t - 1) * from / to == source});
    }
  }
  return layers;
}

LayerMap listed_layers(std::int64_t from, const std::vector<std::int64_t>& list) {
  LayerMap layers;
  std::vector<bool> seen(static_cast<std::size_t>(from), false);
  for (const std::int64_t layer : list) {
    if (from == 0)
      throw usage_error("layers: found layer {}, but the source has no layers; expected a number",
                        layer)
          .with_hint("give --layers N and --new_layers random");
    if (layer < 0 || layer >= from)
      throw usage_error("layers: found {}, expected numbers from 0 to {}", layer, from - 1);
    layers.push_back({layer, seen[static_cast<std::size_t>(layer)]});
    seen[static_cast<std::size_t>(layer)] = true;
  }
  return layers;
}

LayerSource source_layer(const LayerMap& layers, const arch::ParamSpec& target) {
  return target.layer < 0 ? LayerSource{} : layers[static_cast<std::size_t>(target.layer)];
}

std::string source_name(const arch::ParamSpec& target, const LayerSource& layer) {
  return target.layer < 0 ? target.name
                          : arch::layer_name(static_cast<int>(layer.layer), target.key);
}

void begin_layer(TensorRecipe& made, const arch::ParamSpec& target, const LayerSource& layer,
                 const LayerStart& start, std::int64_t seed,
                 const std::vector<TensorBlock>& above) {
  if (!layer.is_new) return;
  made.is_new = true;
  if (start.kind == NewLayers::random) {
    made.value = {fresh_block(target, seed)};
    made.gradient.clear();
  } else if (is_silent(target, start.kind)) {
    made.value.clear();
  } else if (start.kind == NewLayers::mean && !above.empty()) {
    add_half(made.value, above);
  } else if (start.kind == NewLayers::slerp && !above.empty()) {
    bend_halfway(made.value, above);
  } else if (start.kind == NewLayers::copied && is_output(target)) {
    for (TensorBlock& block : made.value) block.scale *= start.scale;
  }
}

bool keeps_function(const LayerMap& layers, const LayerStart& start, std::int64_t from) {
  const bool quiet = start.kind == NewLayers::zero_output || start.kind == NewLayers::identity;
  return keeps_order(layers, from) && (quiet || !has_new(layers));
}

void check_layers_or_factor(const char* name, const Tree& options) {
  const bool layers = options.find("layers"), factor = options.find("factor");
  if (layers && factor) throw options.error("{} takes --layers or --factor, not both", name);
  if (!layers && !factor)
    throw options.error("{} needs --layers N or --factor N", name)
        .with_hint(fmt::format("in a schedule: {{operator: {}, factor: 2}}", name));
}

std::int64_t asked_layers(const char* name, const std::optional<std::int64_t>& layers,
                          const std::optional<std::int64_t>& factor,
                          const arch::ModelConfig& from) {
  if (!layers && from.layers == 0)
    throw usage_error(
        "{}: found factor {}, but the source has no layers to multiply; expected layers", name,
        *factor)
        .with_hint("give --layers N");
  const std::int64_t asked = layers ? *layers : *factor * from.layers;
  if (asked < from.layers)
    throw usage_error("{} to {} layers: the source has {}, expected at least as many", name, asked,
                      from.layers)
        .with_hint(fmt::format("{} only adds layers: give --layers {} or more; --operator coalesce "
                               "makes a model smaller",
                               name, from.layers + 1));
  return asked;
}

}  // namespace stagedtrain::grow
