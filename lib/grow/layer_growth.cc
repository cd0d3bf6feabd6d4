// Layers by a map.
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

// As a fresh model has it.
Block fresh_block(const arch::ParamSpec& target, std::int64_t seed) {
  Block block;
  const bool normal = target.init.kind == arch::Init::Kind::normal;
  block.kind = normal ? Block::Kind::normal : Block::Kind::constant;
  block.extent = corner_of(target);
  block.scale = target.init.value;
  block.stream = hash_name(fmt::format("{} fresh {}", target.name, seed));
  block.noise_columns = block.extent[1];
  return block;
}

bool is_silent(const arch::ParamSpec& target, NewLayers new_layers) {
  if (new_layers != NewLayers::zero_output && new_layers != NewLayers::identity) return false;
  return target.role == Role::residual_out || target.role == Role::branch_norm ||
         (target.role == Role::norm && new_layers == NewLayers::identity);
}

}  // namespace

LayerMap ordered_layers(std::int64_t from, std::int64_t to, LayerOrder order) {
  LayerMap layers;
  for (std::int64_t t = 0; t < to; ++t) {
    if (order == LayerOrder::append) {
      layers.push_back({t % from, t >= from});
    } else if (order == LayerOrder::last) {
      layers.push_back({std::min(t, from - 1), t >= from});
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
                 NewLayers new_layers, std::int64_t seed) {
  if (!layer.is_new) return;
  made.is_new = true;
  if (new_layers == NewLayers::random) {
    made.value = {fresh_block(target, seed)};
    made.gradient.clear();
  } else if (is_silent(target, new_layers)) {
    made.value.clear();
  }
}

bool keeps_function(const LayerMap& layers, NewLayers new_layers, std::int64_t from) {
  const bool quiet = new_layers == NewLayers::zero_output || new_layers == NewLayers::identity;
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
