// Whether the learning rate of a run had decayed at its end.
#pragma once

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Whether a run of total_steps whose last step was at last_rate ended where its curve ends, below
// the peak. The last step of a curve stands one step of the decay above the floor (a linear decay
// of n steps: 1/n of the way from the floor to the peak), so that the step after it would be at the
// floor. False if that is not below the peak: no decay, one of a single step, a warm-up as long as
// the run, a floor of 1.
bool ends_decayed(const RunPlan& plan, std::int64_t total_steps, double last_rate);

// Whether a step (from 0) at this rate lets a run of total_steps count as decayed: in the second
// half of the decay the rate must not lie above the curve. It does where a run was cut short at the
// peak and its last steps alone were made at a low rate. In the first half it may: `until` shortens
// curves that fall all along.
bool fits_decay(const RunPlan& plan, const StagePlan& stage, std::int64_t step, double rate,
                std::int64_t total_steps);

}  // namespace stagedtrain::plan
