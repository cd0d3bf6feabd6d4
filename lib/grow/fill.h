// Makes one tensor from the blocks of its recipe.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/recipe.h"
#include "state/training_state.h"

namespace stagedtrain::grow {

// Returns the bytes of a tensor of a source state, in the dtype of the growth, valid at least until
// the next call. State 0 is the one that grows; state i is the i-th of GrowthStep::others.
using SourceView =
    std::function<std::span<const std::byte>(std::size_t state, state::Kind, std::size_t tensor)>;

// Makes the tensor `target` of this kind by the recipe `made`.
state::HostTensor fill(const TensorRecipe& made, const arch::ParamSpec& target,
                       const arch::ParamTable& sources, state::Kind kind, state::DType dtype,
                       const SourceView& source);
// Returns the block of the source tensor that the target equals in this kind, or null if it is not
// a plain copy of one.
const Block* plain_copy(const TensorRecipe& made, const arch::ParamSpec& target,
                        const arch::ParamTable& sources, state::Kind kind);

// Returns the blocks of which a kind is made.
inline const std::vector<Block>& blocks_of(const TensorRecipe& made, state::Kind kind) {
  return kind == state::Kind::weights ? made.value : made.gradient;
}

}  // namespace stagedtrain::grow
