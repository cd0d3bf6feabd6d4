// Computes the learning rate of each step, and whether it had decayed at the end of a run.
#include "plan/decay.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::plan {
namespace {

constexpr double kRounding = 1 + 1e-9;

// Returns a length in steps. One in % is a share of the run as it is now known, since `until` may
// have ended a stage early.
std::int64_t steps_now(const Duration& length, std::int64_t planned, std::int64_t total_steps) {
  if (length.unit != DurationUnit::percent) return planned;
  return std::llround(length.amount * static_cast<double>(total_steps) / 100);
}

// Returns the learning rate by the curve alone, without re-warm-ups.
double curve_at(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                std::int64_t total_steps) {
  const schedule::LrSpec& lr = plan.schedule.lr;
  const std::int64_t decay =
      lr.curve == "wsd" ? steps_now(lr.decay, plan.decay_steps, total_steps) : 0;
  return schedule::lr_at({lr.curve, stage.peak_lr, lr.floor, plan.warmup_steps, decay, total_steps},
                         step);
}

std::int64_t rewarm_now(const RunPlan& plan, const StagePlan& stage, std::int64_t total_steps) {
  if (!stage.growth || stage.first_step == 0) return 0;  // the first stage has the warm-up instead
  const auto& specs = plan.schedule.stages;
  const auto spec = std::ranges::find(specs, stage.name, &schedule::StageSpec::name);
  const bool own = spec != specs.end() && spec->lr && spec->lr->rewarm;
  return steps_now(own ? *spec->lr->rewarm : plan.schedule.lr.rewarm, stage.rewarm_steps,
                   total_steps);
}

}  // namespace

std::int64_t decay_length(const RunPlan& plan, std::int64_t total_steps) {
  const schedule::LrSpec& lr = plan.schedule.lr;
  const std::int64_t most = std::max<std::int64_t>(0, total_steps - plan.warmup_steps);
  if (lr.curve != "wsd") return most;
  return std::min(most, steps_now(lr.decay, plan.decay_steps, total_steps));
}

double learning_rate(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                     std::int64_t stage_step, std::int64_t total_steps) {
  const std::int64_t rewarm = rewarm_now(plan, stage, total_steps);
  return curve_at(plan, stage, step, total_steps) * schedule::rewarm_factor(stage_step, rewarm);
}

bool ends_decayed(const RunPlan& plan, std::int64_t total_steps, double last_rate) {
  if (!schedule::find_lr_curve(plan.schedule.lr.curve).decays || total_steps <= plan.warmup_steps)
    return false;
  const StagePlan& stage = plan.stages.back();
  const double end = curve_at(plan, stage, total_steps - 1, total_steps);
  return end < stage.peak_lr && last_rate <= end * kRounding;
}

bool fits_decay(const RunPlan& plan, const StagePlan& stage, std::int64_t step, double rate,
                std::int64_t total_steps) {
  if (step < total_steps - decay_length(plan, total_steps) / 2) return true;
  return rate <= curve_at(plan, stage, std::min(step, total_steps - 1), total_steps) * kRounding;
}

std::int64_t tail_steps(const RunPlan& plan) {
  const double least = kLeastLastStage * static_cast<double>(plan.total_steps);
  return std::max({plan.decay_steps, static_cast<std::int64_t>(std::ceil(least)),
                   2 * plan.stages.back().rewarm_steps});
}

}  // namespace stagedtrain::plan
