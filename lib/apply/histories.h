// How does a growth change the histories of tensors? The ages of moments, the optimizer scales and
// the generations (state/tensor_history.h).
#pragma once

#include <vector>

#include "grow/recipe.h"
#include "state/tensor_history.h"

namespace stagedtrain::grow {

// The histories of all tensors of one state, in the order of its parameter table.
using Histories = std::vector<state::TensorHistory>;

// Returns the histories of the grown state, in the order of param_table(step.to). `states` holds
// the histories of the state that grows and then those of step.others, all on the clock of the
// state that grows, which has taken `now` optimizer steps (see counted_from). A tensor is as old as
// the youngest moments that it is made of, and has the age 0 if any entry has none. New tensors get
// the number `generation`. Polls for a stop request.
Histories grown_histories(const GrowthStep& step, const std::vector<Histories>& states,
                          std::int64_t now, std::int64_t generation);

// Moves the histories of a state that has taken `steps` steps to the clock of a state that has
// taken `now`. Every age keeps its number of steps, so the step at which it began shifts, below
// zero if necessary.
Histories counted_from(Histories histories, std::int64_t steps, std::int64_t now);

}  // namespace stagedtrain::grow
