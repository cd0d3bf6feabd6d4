// Computes running means and writes the step lines of run.jsonl.
#include "train/step_log.h"

#include "plan/stage_policy.h"
#include "text/json.h"
#include "train/decisions.h"

namespace stagedtrain::train {
namespace {

// Compares the step with the running means, then adds it to them.
StepNumbers numbers_of(double loss, double norm, state::Progress& progress) {
  RunningStats losses{progress.loss_mean, progress.loss_var};
  RunningStats norms{progress.norm_mean, progress.norm_var};
  const StepNumbers numbers{loss, losses.z(loss), norm, norms.z(norm), progress.learning_rate};
  losses.add(loss);
  norms.add(norm);
  progress.loss_mean = losses.mean;
  progress.loss_var = losses.variance;
  progress.norm_mean = norms.mean;
  progress.norm_var = norms.variance;
  return numbers;
}

}  // namespace

std::optional<scaling::LoggedStep> StepLog::add(const ComputedGradient& computed,
                                                const dist::CommunicationTime& communication) {
  const StepNumbers numbers = numbers_of(computed.loss, computed.norm, progress_);
  progress_.loss_sum += computed.loss;
  ++progress_.loss_steps;
  communication_.waited += communication.waited;
  communication_.hidden += communication.hidden;
  run_.line.step(progress_, numbers);
  if (!is_due(progress_.step, run_.plan.schedule.log.every)) return {};
  const auto steps = static_cast<double>(progress_.loss_steps);
  const double mean = progress_.loss_sum / steps;
  write(mean, numbers, computed);
  progress_.loss_sum = 0;
  progress_.loss_steps = 0;
  communication_ = {};
  logged_ = progress_;
  return scaling::LoggedStep{static_cast<double>(progress_.step), numbers.lr, mean, steps};
}

void StepLog::write(double mean_loss, const StepNumbers& numbers,
                    const ComputedGradient& computed) {
  const Speed speed = speed_between(logged_, progress_);
  Json event = place_event("step", progress_);
  event.update({{"loss", mean_loss},
                {"loss_steps", progress_.loss_steps},
                {"loss_z", numbers.loss_z},
                {"grad_norm", numbers.grad_norm},
                {"grad_norm_z", numbers.grad_norm_z},
                {"lr", numbers.lr},
                {"tokens_per_second", speed.tokens_per_second},
                {"flops_per_second", speed.flops_per_second},
                {"memory_bytes", resident_bytes()}});
  if (run_.peak_flops > 0 && speed.flops_per_second > 0)
    event["mfu"] = speed.flops_per_second / run_.peak_flops;
  if (plan::stage_policy(stage_)) event["layers_run"] = computed.work.layers;
  if (computed.student_loss) event["student_loss"] = *computed.student_loss;
  if (!run_.ranks.alone()) add_communication(event);
  run_.log.write(event);
}

void StepLog::add_communication(Json& event) const {
  const double seconds = progress_.seconds - logged_.seconds;
  event["communication_seconds"] = communication_.waited;
  event["hidden_communication_seconds"] = communication_.hidden;
  if (seconds > 0) event["communication_share"] = communication_.waited / seconds;
}

}  // namespace stagedtrain::train
