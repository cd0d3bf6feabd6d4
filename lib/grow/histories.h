// What becomes of the tensors' histories in a growth: ages by region, scales, generations.
#pragma once

#include <vector>

#include "grow/recipe.h"
#include "state/tensor_history.h"

namespace stagedtrain::grow {

// The histories after a step that grows at optimizer step `now`. generation: that of what is new.
std::vector<state::TensorHistory> grown_histories(const GrowthStep& step,
                                                  const std::vector<state::TensorHistory>& from,
                                                  std::int64_t now, std::int64_t generation);

}  // namespace stagedtrain::grow
