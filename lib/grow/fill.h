// Making one tensor out of blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/recipe.h"
#include "state/training_state.h"

namespace stagedtrain::grow {

// The bytes of a tensor of a source state (0: the one that grows, i: the i-th of others), of its
// dtype; valid until the next call at least.
using SourceView =
    std::function<std::span<const std::byte>(std::size_t state, state::Kind, std::size_t tensor)>;

// The tensor `target` of this kind as `made` has it.
state::HostTensor fill(const TensorRecipe& made, const arch::ParamSpec& target,
                       const arch::ParamTable& sources, state::Kind kind, state::DType dtype,
                       const SourceView& source);
// The source tensor that the target equals in this kind, if it is a plain copy of it.
const Block* plain_copy(const TensorRecipe& made, const arch::ParamSpec& target,
                        const arch::ParamTable& sources, state::Kind kind);

// The blocks that a kind is made of.
inline const std::vector<Block>& blocks_of(const TensorRecipe& made, state::Kind kind) {
  return kind == state::Kind::weights ? made.value : made.gradient;
}

}  // namespace stagedtrain::grow
