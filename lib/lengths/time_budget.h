// When does a run with a time budget (`budget.time`) end?
//
// A run that is stopped by the clock at its peak learning rate is worth less than one that ends
// decayed. So the length of the run is decided, once, at the last moment at which a decay still
// fits into the time that is left at the measured speed. From then on the run is like any other: the
// length is part of its state, and a resumed run keeps it. With a curve that falls from its start,
// the length is decided as soon as the speed is known.
//
// Cramming (Geiping and Goldstein, arXiv 2212.14034) computes each learning rate from the clock
// instead; no such run can be repeated.
#pragma once

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Returns the length of the run in steps, counted from its start, if it has to be decided now:
// after `step` steps, which took `seconds`, at `seconds_per_step` in the last stage. Returns
// nothing as long as that can wait, or if the run ends in time at total_steps. If the last stage
// begins later than that, the decay is cut at its start, by half at most; the run then takes longer
// than the budget.
std::optional<std::int64_t> length_in_time(const RunPlan& plan, std::int64_t step, double seconds,
                                           double seconds_per_step, std::int64_t total_steps);

// Measures the speed of the last stage and asks length_in_time() after each step. Does nothing
// without a budget, in other stages, and once the length is decided.
class TimeBudget {
 public:
  // The stage begins, or is resumed after stage_step of its steps, at this step of the run.
  // total_steps is the length of the run as it is known; it is decided if it is not the planned one.
  TimeBudget(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
             std::int64_t stage_step, std::int64_t total_steps);
  // `seconds` are those of all steps of the run.
  std::optional<std::int64_t> after_step(std::int64_t step, double seconds);

  // Steps whose time is not counted at the start of a process, and steps that measure the speed.
  static constexpr std::int64_t kFirstSteps = 3, kTimedSteps = 20;

 private:
  const RunPlan& plan_;
  bool is_open_;
  std::int64_t first_step_, total_steps_;
  double first_seconds_ = 0;
};

}  // namespace stagedtrain::plan
