// Computes what a growth does to the histories of tensors: ages by region, scales, generations.
#pragma once

#include <vector>

#include "grow/recipe.h"
#include "state/tensor_history.h"

namespace stagedtrain::grow {

// The histories of one of the states that a step grows, in the order of its table.
using Histories = std::vector<state::TensorHistory>;

// Returns the histories after a step that grows at optimizer step `now`. states are the histories
// of the state that grows, then those of step.others, all with ages that count from `now` (see
// counted_from). generation is given to tensors that are new.
Histories grown_histories(const GrowthStep& step, const std::vector<Histories>& states,
                          std::int64_t now, std::int64_t generation);

// Converts the histories of a state that has taken `steps` steps to those of a state that has taken
// `now`. Every age keeps its length, so the step at which it began moves, below zero if necessary.
Histories counted_from(Histories histories, std::int64_t steps, std::int64_t now);

// Returns the age of an average of moments. Terms are weights (of exp_avg_sq, at least one above 0)
// and ages. histories.cc has the formula.
struct AgedTerm {
  double weight = 1;
  state::MomentAge age;
};
state::MomentAge mixed_age(const std::vector<AgedTerm>& terms, std::int64_t now);

}  // namespace stagedtrain::grow
