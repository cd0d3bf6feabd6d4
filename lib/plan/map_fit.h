// What does the fit of a learned growth cost (grow/dense_map.h)?
#pragma once

#include <cstdint>

#include "grow/recipe.h"
#include "schedule/schedule.h"

namespace stagedtrain::plan {

// All are 0 for a growth without a fit. A fit trains maps, not weights, so its tokens are no tokens
// of the stage's steps; but they count in the totals of the run, and so do its FLOPs.
struct FitCost {
  std::int64_t steps = 0;
  std::int64_t sequences = 0;  // sequences in each step
  std::int64_t tokens = 0;     // tokens in all steps
  double flops = 0;            // of the larger model and of the maps, in all steps
  std::int64_t all_sequences() const { return steps * sequences; }
};
FitCost fit_cost(const schedule::Schedule& schedule, const grow::GrowthRecipe& recipe);

}  // namespace stagedtrain::plan
