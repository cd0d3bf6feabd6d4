// How does a model grow in depth? Which old layer each layer comes from, and what new layers start
// as.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// Where new layers are put; see ordered_layers.
enum class LayerOrder { alternate, append, last, middle, overlap, upper };
// What new layers start as.
//   zero_output  copies whose outputs into the residual stream are zero
//   identity     the same, with zero norms as well (Staged Training, arXiv 2203.06211)
//   copied       copies, whose outputs may be scaled
//   mean         the mean of the layer that they would copy and the next old one (STEP, arXiv
//                2504.04151)
//   slerp        halfway between these two on the arc that joins them (DLO, arXiv 2407.11030)
//   predicted    their matrices are predicted from those of all layers, and the rest is
//                copied (LESA, arXiv 2502.13794)
//   random       layers of a fresh model
enum class NewLayers { zero_output, identity, copied, mean, slerp, predicted, random };

struct LayerStart {
  NewLayers kind = NewLayers::zero_output;
  // The factor on the outputs of copied layers into the residual stream. 1 is stacking, 0 is
  // zero_output, and values in between are the extrapolation of accelerated gradient descent (arXiv
  // 2403.04978, where it is beta).
  double scale = 1;
};

// The old layer that a layer comes from. A new layer starts as NewLayers describes; any other is
// that old layer itself. In a growth of a model without layers, new layers come from kNoLayer.
inline constexpr std::int64_t kNoLayer = -1;
struct LayerSource {
  std::int64_t layer = 0;
  bool is_new = false;
};
// Indexed by the layers of the larger model, from the lowest.
using LayerMap = std::vector<LayerSource>;

// Returns the map from `from` old layers to `to` layers in this order.
//   alternate  new layers are spread evenly, each directly after the old layer that it copies
//   append     the old layers are repeated after themselves, in their order
//   last       the last `block` layers are repeated at the end (gradual stacking, arXiv 2309.12344)
//   middle     a model of k blocks gets block ceil(k/2) once more, directly after itself, until it
//              is large enough (MIDAS, arXiv 2409.19044)
//   overlap    two copies of the model, the first without its last m layers and the second without
//              its first m, where m = from - to / 2 (SOLAR, arXiv 2312.15166)
//   upper      new layers are put between the uppermost old layers, one in each gap from the top
//              on, and a further one in each gap if there are more (STEP, arXiv 2504.04151)
// block = 0 means 1 layer for last and to - from layers for middle. Throws Error(usage) if `from`
// is smaller than a block, if middle does not have whole blocks before and after, or if overlap has
// to reach an odd number or more than 2 * from.
LayerMap ordered_layers(std::int64_t from, std::int64_t to, LayerOrder order,
                        std::int64_t block = 0);
// Returns the map in which layer i comes from old layer list[i]. Where an old layer first appears
// it is kept, and its repetitions are new layers. Throws Error(usage) if an entry is not an old
// layer.
LayerMap listed_layers(std::int64_t from, const std::vector<std::int64_t>& list);

// Returns the source of the layer that a tensor belongs to. A tensor outside the layers counts as
// not new.
LayerSource source_layer(const LayerMap& layers, const arch::ParamSpec& target);
// Returns the name, in the old model, of the tensor that `target` comes from.
std::string source_name(const arch::ParamSpec& target, const LayerSource& layer);
// If the layer is new, changes `made`, the recipe of a copy, to what the tensor of a new layer
// starts as. `above` holds the value blocks of a copy of the layer above the source, which mean and
// slerp need; where it is empty (at the top), they copy. `seed` is the seed of random layers.
void begin_layer(TensorRecipe& made, const arch::ParamSpec& target, const LayerSource& layer,
                 const LayerStart& start, std::int64_t seed,
                 const std::vector<TensorBlock>& above = {});
// Returns whether the growth keeps the function: all `from` old layers are there in their order,
// and new layers add nothing to the residual stream.
bool keeps_function(const LayerMap& layers, const LayerStart& start, std::int64_t from);

// Throws Error(usage) unless the options of the operator `name` contain exactly one of `layers` and
// `factor`.
void check_layers_or_factor(const char* name, const Tree& options);
// Returns the number of layers that the option `layers` or `factor` of the operator `name` asks
// for. Requires one of them. Throws Error(usage) if that is fewer than `from` has.
std::int64_t asked_layers(const char* name, const std::optional<std::int64_t>& layers,
                          const std::optional<std::int64_t>& factor, const arch::ModelConfig& from);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::LayerOrder> {
  static constexpr std::array names{"alternate", "append", "last", "middle", "overlap", "upper"};
};
template <>
struct EnumNames<grow::NewLayers> {
  static constexpr std::array names{"zero_output", "identity",  "copied", "mean",
                                    "slerp",       "predicted", "random"};
};
}  // namespace stagedtrain
