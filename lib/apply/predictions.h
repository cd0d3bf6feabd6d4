// The matrices of new layers that are predicted from all layers of the smaller model.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <utility>

#include "grow/recipe.h"
#include "state/training_state.h"

namespace stagedtrain::grow {

// Returns the bytes of a tensor of a source state, in the dtype of the growth. They stay valid at
// least until the next call. State 0 is the state that grows; state i is the i-th of
// GrowthStep::others.
using SourceView = std::function<std::span<const std::byte>(std::size_t state, state::TensorKind,
                                                            std::size_t tensor)>;

// The predictions of one step. All layers of a kind of matrix are predicted together, because they
// share a decomposition and a network, when the first of them is taken. Each is kept until it is
// taken.
class Predictions {
 public:
  // Returns tensor `index` of the step's larger model. Requires that its recipe is a prediction and
  // that each tensor is taken once of every kind.
  state::HostTensor take(const GrowthStep& step, std::size_t index, const arch::ParamSpec& target,
                         state::TensorKind kind, state::DType dtype, const SourceView& source);

 private:
  void predict(const GrowthStep& step, std::size_t index, const arch::ParamSpec& target,
               state::TensorKind kind, state::DType dtype, const SourceView& source);
  std::map<std::pair<state::TensorKind, std::size_t>, state::HostTensor> made_;
};

}  // namespace stagedtrain::grow
