// How does a growth of axes and layers become a step? A recipe for every tensor, and the promises
// that hold. Operators such as width, lemon, expand and depth are built on it.
#pragma once

#include <vector>

#include "grow/axis_growth.h"
#include "grow/layer_growth.h"
#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// The axes that the option `axes` of an operator of width can select.
enum class GrowingAxis { residual, heads, ffn };

// A growth of axes together with a growth of layers. The operator states here what the maps do not
// show; step_by_axes adds what follows from the maps.
struct WholeGrowth {
  AxisGrowth axes;
  LayerMap layers;
  LayerStart new_layers;
  bool exact = true;  // whether the maps of the axes keep the loss
  // Whether new rows of matrices and biases are copies of rows of the layer above
  // (Copies::next_layer).
  bool next_layer = false;
  // Must be false if the gradient of the grown model differs from the grown gradient for a reason
  // other than noise, a rest, uneven copies of the residual axis or unbalanced mixing.
  bool equivariant = true;
};
// Throws Error(usage) if `tensor` would consist of more than 2^18 blocks, because building such a
// recipe would take minutes. Call it before building a map with one piece for each row.
void check_block_count(const std::string& tensor, std::size_t blocks);

// Returns the growth of these axes that keeps the layers as they are.
WholeGrowth growth_of_axes(AxisGrowth axes, const GrowthContext& context);

// Returns the step of a growth: the recipe of every tensor of context.to, in the order of its
// table, with moments and optimizer scales by `rule`, and the promises that hold after `rule` is
// applied. Throws Error(usage) if a tensor would consist of too many blocks.
GrowthStep step_by_axes(const WholeGrowth& growth, const GrowthContext& context,
                        const StateRule& rule);

// Returns the step of a growth of layers alone. `seed` is the seed of random layers. Throws
// Error(usage) for identity layers in a model whose feed-forwards have no biases: all gradients of
// such layers are zero, so they would never train.
GrowthStep step_by_layers(const LayerMap& layers, const LayerStart& start, std::int64_t seed,
                          const GrowthContext& context, const StateRule& rule);

// Returns whether positions are encoded by rotating queries and keys (RoPE), not by learned
// embeddings.
bool turns_positions(const arch::ParamTable& table);
// Returns whether the norms subtract the mean (LayerNorm). If so, only padding with the mean keeps
// their outputs.
bool centers_norms(const arch::ParamTable& table);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::GrowingAxis> {
  static constexpr std::array names{"residual", "heads", "ffn"};
};
}  // namespace stagedtrain
