// What becomes of the tensors' histories in a growth: ages by region, scales, generations.
#pragma once

#include <vector>

#include "grow/recipe.h"
#include "state/tensor_history.h"

namespace stagedtrain::grow {

// The histories of one of the states that a step grows, in the order of its table.
using Histories = std::vector<state::TensorHistory>;

// The histories after a step that grows at optimizer step `now`. states: those of the state that
// grows, then those of step.others, with ages that count from `now` (counted_from). generation:
// that of what is new.
Histories grown_histories(const GrowthStep& step, const std::vector<Histories>& states,
                          std::int64_t now, std::int64_t generation);

// Histories of a state that has made `steps` steps, in a state that has made `now` of them: every
// age stays as long as it was, so the step at which it began moves, below zero if need be.
Histories counted_from(Histories histories, std::int64_t steps, std::int64_t now);

// The age of an average of moments: terms are weights (of exp_avg_sq, at least one above 0) and
// ages. histories.cc has the formula.
struct AgedTerm {
  double weight = 1;
  state::MomentAge age;
};
state::MomentAge mixed_age(const std::vector<AgedTerm>& terms, std::int64_t now);

}  // namespace stagedtrain::grow
