// How is one tensor computed from the blocks of its recipe?
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "apply/predictions.h"
#include "grow/recipe.h"
#include "state/training_state.h"

namespace stagedtrain::grow {

// Returns tensor `index` of the step's larger model, of this kind, computed by its recipe on all
// cores. `target` is its line of the larger model's table, and `sources` the table of the source
// states, whose tensors `source` reads. `predictions` are those of the step. Polls for a stop
// request.
state::HostTensor fill(const GrowthStep& step, std::size_t index, const arch::ParamSpec& target,
                       const arch::ParamTable& sources, state::TensorKind kind, state::DType dtype,
                       const SourceView& source, Predictions& predictions);
// Returns the only block of this kind if it is an unscaled copy of one whole source tensor, or
// null. The tensor's bytes are then the source's own. The pointer is into `made`.
const TensorBlock* plain_copy(const TensorRecipe& made, const arch::ParamSpec& target,
                              const arch::ParamTable& sources, state::TensorKind kind);

// An average of weights grows as the weights do.
inline bool is_value(state::TensorKind kind) {
  return kind == state::TensorKind::weights || kind == state::TensorKind::ema;
}
// Returns the blocks that a kind is made of.
inline const std::vector<TensorBlock>& blocks_of(const TensorRecipe& made, state::TensorKind kind) {
  return is_value(kind) ? made.value : made.gradient;
}
// Calls use(source) for every block, term of a product and layer of a prediction that a kind is
// made of.
template <class F>
void for_each_source(const TensorRecipe& made, state::TensorKind kind, F use) {
  for (const TensorBlock& block : blocks_of(made, kind)) use(block.source);
  if (is_value(kind))
    for (const MapProduct& product : made.products)
      for (const std::size_t source : product.sources) use(source);
  if (made.prediction && is_value(kind))
    for (const std::size_t source : made.prediction->sources) use(source);
}

}  // namespace stagedtrain::grow
