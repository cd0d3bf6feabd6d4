// Which learning rate is best? Short runs of the final model from scratch that train only its last
// layers rank the rates at a fraction of the cost (Frozen Layers, arXiv 2504.10735).
#pragma once

#include "jobs/trial_runs.h"

namespace stagedtrain::plan {

// Returns runs of `steps` steps that train the last `layers` layers (the policy train_last) at
// `rates` peak learning rates: the schedule's own, half and twice of it, a quarter, and so on. All
// of them warm up over a tenth of their steps and decay by the schedule's curve. A candidate's
// `growth` is its rate in words. Throws Error(usage) if the model has fewer layers.
std::vector<TrialRun> rate_candidates(const RunPlan& plan, std::int64_t steps, std::int64_t layers,
                                      std::int64_t rates);
// Returns the FLOPs of all candidates, and the share that they are of training all layers.
struct RateTrialsCost {
  double flops = 0, share = 1;
};
RateTrialsCost rate_trials_cost(const std::vector<TrialRun>& candidates);
std::string rate_text(const std::vector<TrialResult>& ranking, std::int64_t steps);

}  // namespace stagedtrain::plan
