// When does a run choose what it trains on, and what does that cost (data.select)?
#pragma once

#include <cstdint>

#include "arch/step_flops.h"
#include "schedule/schedule.h"

namespace stagedtrain::plan {

// Returns the schedule's data.select, or null if the run trains on all windows.
const schedule::SelectSpec* selection_of(const schedule::Schedule& schedule);

// The newest selection of a run: the context of its windows (0: there is none yet), and the steps
// at which the features were computed and the subset was drawn.
struct SelectionPlace {
  std::int64_t context = 0, features_step = 0, step = 0;
};
// Whether the features of all windows are computed before a step of the run.
bool features_are_due(const schedule::SelectSpec& select, const SelectionPlace& newest,
                      std::int64_t step, std::int64_t context);
// Whether a subset is drawn before a step of the run.
bool subset_is_due(const schedule::SelectSpec& select, const SelectionPlace& newest,
                   std::int64_t step, std::int64_t context);

// Returns the number of layers that a model runs for its features.
std::int64_t feature_layers(const schedule::SelectSpec& select, std::int64_t layers);

// What the selections of a stage cost. They train on no tokens, but their FLOPs count in the totals
// of the run.
struct SelectionCost {
  std::int64_t passes = 0;     // computations of the features of all windows
  std::int64_t windows = 0;    // in each pass; 0: not known without the file
  double flops = 0;            // of all passes, with the cosines
  double attention_flops = 0;  // the part of it that full attention costs
};
// Returns the cost of one pass over so many windows: the forward pass of the first layers on all
// tokens, and 2 width n FLOPs for a window in a partition of n.
SelectionCost selection_pass(const schedule::SelectSpec& select, const arch::ModelConfig& model,
                             std::int64_t windows);
// Returns the cost of a stage's passes, and moves `newest` to its end.
SelectionCost selection_cost(const schedule::SelectSpec& select, const arch::ModelConfig& model,
                             std::int64_t windows, std::int64_t first_step, std::int64_t steps,
                             SelectionPlace& newest);

}  // namespace stagedtrain::plan
