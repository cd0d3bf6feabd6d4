// Decides the length of a run from its speed and the time that is left.
#include "lengths/time_budget.h"

#include <algorithm>
#include <cmath>

#include "plan/decay.h"

namespace stagedtrain::plan {
namespace {

std::int64_t decay_begin(const RunPlan& plan, std::int64_t total_steps) {
  return total_steps - decay_length(plan, total_steps);
}

// Returns the smallest length from `low` to `high` of whose decay at least half lies after `step`.
// The end of a run with less counts as cut short (fits_decay).
std::int64_t length_with_decay(const RunPlan& plan, std::int64_t step, std::int64_t low,
                               std::int64_t high) {
  while (low < high) {
    const std::int64_t length = low + (high - low) / 2;
    if (length - decay_length(plan, length) / 2 < step) {
      low = length + 1;
    } else {
      high = length;
    }
  }
  return low;
}

}  // namespace

std::optional<std::int64_t> length_in_time(const RunPlan& plan, std::int64_t step, double seconds,
                                           double seconds_per_step, std::int64_t total_steps) {
  const double left = std::max(0.0, plan.stages.back().until_seconds - seconds);
  const double fitting = std::floor(left / seconds_per_step);
  if (!(fitting < static_cast<double>(total_steps - step))) return {};
  const std::int64_t length = step + static_cast<std::int64_t>(fitting);
  if (step < decay_begin(plan, length)) return {};
  if (plan.schedule.lr.curve == "wsd" && decay_begin(plan, total_steps) > plan.warmup_steps)
    return length_with_decay(plan, step, length, total_steps);
  // The rate falls from the start. Half of the curve is left for it at least.
  return std::min(total_steps, std::max(length, 2 * step));
}

TimeBudget::TimeBudget(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                       std::int64_t stage_step, std::int64_t total_steps)
    : plan_(plan),
      is_open_(stage.until_seconds > 0 && total_steps - step == stage.steps - stage_step),
      first_step_(step + kFirstSteps),
      total_steps_(total_steps) {}

std::optional<std::int64_t> TimeBudget::after_step(std::int64_t step, double seconds) {
  if (!is_open_) return {};
  if (step <= first_step_) first_seconds_ = seconds;
  if (step < first_step_ + kTimedSteps) return {};
  const double speed = (seconds - first_seconds_) / static_cast<double>(step - first_step_);
  const auto length = length_in_time(plan_, step, seconds, speed, total_steps_);
  if (length) is_open_ = false;
  return length;
}

}  // namespace stagedtrain::plan
