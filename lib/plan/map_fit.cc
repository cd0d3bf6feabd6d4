// Adds up the products of a fit.
#include "plan/map_fit.h"

#include "arch/cost.h"
#include "learned/learned_growth.h"

namespace stagedtrain::plan {

FitCost fit_cost(const schedule::Schedule& schedule, const grow::GrowthRecipe& recipe) {
  FitCost cost;
  for (const grow::GrowthStep& step : recipe.steps) {
    if (step.fit.steps == 0) continue;
    cost.steps = step.fit.steps;
    cost.sequences = step.fit.sequences.value_or(schedule.batch.sequences);
    cost.tokens = cost.all_sequences() * step.to.context;
    cost.flops = static_cast<double>(cost.tokens) * arch::flops_per_token(step.to) +
                 static_cast<double>(cost.steps) * grow::map_flops(step);
  }
  return cost;
}

}  // namespace stagedtrain::plan
