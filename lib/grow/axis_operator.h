// The step of an operator that grows axes: shared by width, clone, lemon, expand and others.
#pragma once

#include <vector>

#include "grow/axis_growth.h"
#include "grow/layer_growth.h"
#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// What a growth may be asked to leave as it is.
enum class GrowingAxis { residual, heads, ffn };

// A growth of axes, and of layers beside it.
struct WholeGrowth {
  AxisGrowth axes;
  LayerMap layers;
  NewLayers new_layers = NewLayers::zero_output;
  bool exact = true;  // the axes keep the loss
  // Nothing but noise, a rest or unbalanced mixing would break the gradient's law of the axes.
  bool equivariant = true;
};
// Layers stay as they are.
WholeGrowth growth_of_axes(AxisGrowth axes, const GrowthContext& context);

// Every tensor of the larger model, with what such a growth promises, less what `rule` breaks.
GrowthStep step_by_axes(const WholeGrowth& growth, const GrowthContext& context,
                        const StateRule& rule);

// Layers alone grow. seed: of random layers.
// Throws Error(usage) where identity could never train (no biases: every gradient stays zero).
GrowthStep step_by_layers(const LayerMap& layers, NewLayers new_layers, std::int64_t seed,
                          const GrowthContext& context, const StateRule& rule);

// True where positions are turned into queries and keys (RoPE) rather than learned.
bool turns_positions(const arch::ParamTable& table);
// True where norms subtract the mean (LayerNorm), so that only mean padding keeps them.
bool centers_norms(const arch::ParamTable& table);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::GrowingAxis> {
  static constexpr std::array names{"residual", "heads", "ffn"};
};
}  // namespace stagedtrain
