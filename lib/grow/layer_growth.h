// Growing in depth: which old layer each new layer comes from, and what new layers begin as.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

enum class LayerOrder { alternate, append, last };
// identity: also the norms are zero (Staged Training); zero_output: only what is added to the
// residual stream is; copied: plain copies; random: fresh ones.
enum class NewLayers { zero_output, identity, copied, random };

struct LayerSource {
  std::int64_t layer = 0;
  bool is_new = false;
};
using LayerMap = std::vector<LayerSource>;

// alternate: new layers are spread evenly, each directly after the old one that it copies; append:
// the old layers once more, in their order, as often as needed; last: copies of the last layer.
LayerMap ordered_layers(std::int64_t from, std::int64_t to, LayerOrder order);
// New layer i is old layer list[i]; its first copy is the old one. Throws Error(usage) on a number
// that is no layer.
LayerMap listed_layers(std::int64_t from, const std::vector<std::int64_t>& list);

// The layer that a tensor comes from; outside the blocks one that is not new.
LayerSource source_layer(const LayerMap& layers, const arch::ParamSpec& target);
// The name of the tensor in the smaller model.
std::string source_name(const arch::ParamSpec& target, const LayerSource& layer);
// Turns the recipe of a copy into that of a tensor of a new layer, if the layer is new.
void begin_layer(TensorRecipe& made, const arch::ParamSpec& target, const LayerSource& layer,
                 NewLayers new_layers, std::int64_t seed);
// All old layers in their order, and what is new changes nothing.
bool keeps_function(const LayerMap& layers, NewLayers new_layers, std::int64_t from);

// Throws Error(usage) unless exactly one of layers and factor is among the options of `name`.
void check_layers_or_factor(const char* name, const Tree& options);
// The number of layers that one of the two asks of the operator `name`. Throws Error(usage) if
// these are fewer than there are.
std::int64_t asked_layers(const char* name, const std::optional<std::int64_t>& layers,
                          const std::optional<std::int64_t>& factor, const arch::ModelConfig& from);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::LayerOrder> {
  static constexpr std::array names{"alternate", "append", "last"};
};
template <>
struct EnumNames<grow::NewLayers> {
  static constexpr std::array names{"zero_output", "identity", "copied", "random"};
};
}  // namespace stagedtrain
