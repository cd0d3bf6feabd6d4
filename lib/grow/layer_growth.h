// Describes growth in depth: which old layer each new layer comes from, and how new layers begin.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

enum class LayerOrder { alternate, append, last, middle, overlap };
// How new layers begin. zero_output: as copies whose contribution to the residual stream is zero;
// identity: their norms are zero too (Staged Training); copied: as copies, whose outputs may be
// scaled; mean: as the mean of the layers below and above (STEP, arXiv 2504.04151); slerp: halfway
// between these two on the arc that joins them (DLO, arXiv 2407.11030); random: as fresh layers.
enum class NewLayers { zero_output, identity, copied, mean, slerp, random };

struct LayerStart {
  NewLayers kind = NewLayers::zero_output;
  // What the outputs of copied layers into the residual stream are multiplied by. 1 is stacking,
  // 0 is zero_output, and between them lies the extrapolation of accelerated gradient descent
  // (arXiv 2403.04978, which calls it beta).
  double scale = 1;
};

struct LayerSource {
  std::int64_t layer = 0;
  bool is_new = false;
};
using LayerMap = std::vector<LayerSource>;

// Returns where each layer of the larger model comes from. alternate: new layers are spread evenly,
// each directly after the old one that it copies; append: the old layers are repeated in their
// order; last: the last `block` layers are repeated at the end (gradual stacking, arXiv 1907.05843
// and 2309.12344); middle: a model of k blocks gets block ceil(k/2) once more, directly behind
// itself, until it is large enough (MIDAS, arXiv 2409.19044); overlap: two copies of the model, the
// first without its last m layers and the second without its first m, m = from - to / 2 (SOLAR,
// arXiv 2312.15166). A block of 0 layers is chosen: 1 for last, to - from for middle. Throws
// Error(usage) unless `from` has a block to repeat, middle unless both numbers are whole multiples
// of it, and overlap unless `to` is even and at most 2 * from.
LayerMap ordered_layers(std::int64_t from, std::int64_t to, LayerOrder order,
                        std::int64_t block = 0);
// Returns the map in which layer i is a copy of old layer list[i]. The first copy of a layer is the
// old one, and the others are new. Throws Error(usage) if a number is not an old layer.
LayerMap listed_layers(std::int64_t from, const std::vector<std::int64_t>& list);

// Returns the layer that a tensor comes from. Tensors outside the layers come from one that is not
// new.
LayerSource source_layer(const LayerMap& layers, const arch::ParamSpec& target);
// Returns the name of the tensor in the smaller model.
std::string source_name(const arch::ParamSpec& target, const LayerSource& layer);
// If the layer is new, turns the recipe of a copy into that of a new layer's tensor. `above` are
// the values of a copy of the layer above the source, for new layers that lie between two; none at
// the top.
void begin_layer(TensorRecipe& made, const arch::ParamSpec& target, const LayerSource& layer,
                 const LayerStart& start, std::int64_t seed, const std::vector<Block>& above = {});
// Returns whether all old layers are kept in their order and the new ones change nothing.
bool keeps_function(const LayerMap& layers, const LayerStart& start, std::int64_t from);

// Throws Error(usage) unless the options of the operator `name` have exactly one of layers and
// factor.
void check_layers_or_factor(const char* name, const Tree& options);
// Returns the number of layers that layers or factor asks of the operator `name`. Throws
// Error(usage) if it is below the source's.
std::int64_t asked_layers(const char* name, const std::optional<std::int64_t>& layers,
                          const std::optional<std::int64_t>& factor, const arch::ModelConfig& from);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::LayerOrder> {
  static constexpr std::array names{"alternate", "append", "last", "middle", "overlap"};
};
template <>
struct EnumNames<grow::NewLayers> {
  static constexpr std::array names{"zero_output", "identity", "copied", "mean", "slerp", "random"};
};
}  // namespace stagedtrain
