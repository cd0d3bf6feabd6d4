// Makes the steps of operators that grow axes or layers, such as width, lemon, expand and depth.
#pragma once

#include <vector>

#include "grow/axis_growth.h"
#include "grow/layer_growth.h"
#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// The axes that a growth may be restricted to.
enum class GrowingAxis { residual, heads, ffn };

// A growth of axes together with a growth of layers.
struct WholeGrowth {
  AxisGrowth axes;
  LayerMap layers;
  LayerStart new_layers;
  bool exact = true;  // whether the maps of the axes keep the loss
  // New rows of matrices and biases are copies of the layer above's (Copies::next_layer).
  bool next_layer = false;
  // False if something other than noise, a rest or unbalanced mixing breaks the gradient's law.
  bool equivariant = true;
};
// Throws Error(usage) if a tensor would be made of more blocks than any real growth has, which
// would take minutes to write down. Call it before making a map whose pieces are one a row.
void check_block_count(const std::string& tensor, std::size_t blocks);

// Returns a growth of these axes that leaves the layers as they are.
WholeGrowth growth_of_axes(AxisGrowth axes, const GrowthContext& context);

// Returns how every tensor of the larger model is made, and what that promises, except for what
// `rule` breaks.
GrowthStep step_by_axes(const WholeGrowth& growth, const GrowthContext& context,
                        const StateRule& rule);

// Returns the step of a growth of layers alone. `seed` is for random layers. Throws Error(usage) if
// identity layers could never train: without biases all their gradients stay zero.
GrowthStep step_by_layers(const LayerMap& layers, const LayerStart& start, std::int64_t seed,
                          const GrowthContext& context, const StateRule& rule);

// Returns whether queries and keys are rotated by their positions (RoPE), as opposed to learned
// positions.
bool turns_positions(const arch::ParamTable& table);
// Returns whether norms subtract the mean (LayerNorm), so that only padding with the mean keeps
// their outputs.
bool centers_norms(const arch::ParamTable& table);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::GrowingAxis> {
  static constexpr std::array names{"residual", "heads", "ffn"};
};
}  // namespace stagedtrain
