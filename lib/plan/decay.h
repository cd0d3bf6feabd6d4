// Had the learning rate of a run decayed at its end? Which steps at its end are free of growths?
#pragma once

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Whether a run of total_steps, whose last step had the learning rate last_rate, ended at the end
// of its curve and below the peak. The last step of a curve is one step of the decay above the
// floor (for a linear decay of n steps, 1/n of the way from the floor to the peak); the step after
// it would be at the floor. False if the curve does not end below the peak: without a decay, for a
// decay of one step, a warm-up as long as the run, or a floor of 1.
bool ends_decayed(const RunPlan& plan, std::int64_t total_steps, double last_rate);

// Whether a run of total_steps may count as decayed if this step (from 0) had this learning rate.
// In the second half of the decay the rate must not be above the curve. It is above it if a run was
// cut short at the peak and only its last steps had a low rate. In the first half it may be above,
// since `until` shortens curves that fall from the start.
bool fits_decay(const RunPlan& plan, const StagePlan& stage, std::int64_t step, double rate,
                std::int64_t total_steps);

// Returns the number of steps in which the learning rate falls, for a run of total_steps.
std::int64_t decay_length(const RunPlan& plan, std::int64_t total_steps);

// Returns the steps at the end of a run in which no growth is planned: its decay, at least
// kLeastLastStage of the run, and at least twice the last stage's re-warm-up. The result of a
// shorter last stage would tell little about a model of that size.
inline constexpr double kLeastLastStage = 0.05;
std::int64_t tail_steps(const RunPlan& plan);

}  // namespace stagedtrain::plan
