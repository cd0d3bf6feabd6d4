// One step: batch, passes, gradient; then weights, moments, averages and counts. Everything that
// decides what a step does is in the state, so a resumed run takes the same steps.
#include "train/training_step.h"

#include "optim/ema.h"
#include "reference/student.h"
#include "train/adapter_step.h"
#include "train/decisions.h"
#include "train/selecting.h"

namespace stagedtrain::train {
namespace {

std::optional<model::Distillation> distillation_of(const plan::StagePlan& stage) {
  const auto& keys = stage.policies.teacher;
  if (!keys) return {};
  return model::Distillation{keys->factor, keys->kd, keys->temperature};
}

}  // namespace

TrainingStep::TrainingStep(RunContext& run, const plan::StagePlan& stage, DeviceState& live)
    : run_(run),
      schedule_(run.plan.schedule),
      stage_(stage),
      policy_flops_(plan::policy_step_flops(stage)),
      live_(live),
      progress_(live.header.progress),
      feed_(training_stream(run, live.header.data, stage.model), live.options.device,
            [this] { run_.data.train->check_unchanged(run_.data.train_fingerprint); }),
      gradient_(run.ranks, run.sharding == plan::Sharding::full),
      optimizer_(schedule_),
      shards_(gradient_, run.ranks, run.sharding == plan::Sharding::optimizer) {}

void TrainingStep::begin() {
  model::set_student(*live_.model, distillation_of(stage_));
  freeze_what_is_not_trained();
  shards_.begin(*live_.model);
}

// idle: what the passes of this step left out.
void TrainingStep::freeze_what_is_not_trained(const arch::IdleParts& idle) {
  const bool only_new = stage_.train_only_new && !live_.adapters;  // otherwise idle has everything
  const auto newest = static_cast<std::int64_t>(live_.header.lineage.size());
  live_.model->params().set_histories(live_.header.histories, only_new ? newest : 0, idle);
}

void TrainingStep::select_data() {
  if (select_windows(run_, live_))
    feed_.restart(training_stream(run_, live_.header.data, stage_.model));
}

void TrainingStep::lift_mask() {
  const state::MaskRamp& mask = live_.header.mask;
  if (mask.steps == 0) return;
  if (progress_.step >= mask.start + mask.steps) {
    shards_.gather(*live_.model);
    end_mask(live_);
    begin();
  } else {
    show_through_mask(live_, progress_.step + 1);
  }
}

BatchShape TrainingStep::shape_at(std::int64_t step) const {
  return {plan::sequences_at(schedule_, step), plan::length_at(schedule_, stage_.model, step)};
}

ComputedGradient TrainingStep::compute(bool another) {
  ComputedGradient computed;
  const DeviceBatch& batch = computed.batch = feed_.take(shape_at(progress_.step));
  const std::int64_t rows = rows_of_pass(
      schedule_.batch, batch.rows(), stage_.model.context / batch.length(), run_.ranks.size());
  const GradientPasses passes{
      rows, live_.header.seed, progress_.step,
      passes_of_step(run_.plan, stage_, progress_, (batch.rows() + rows - 1) / rows, rows)};
  computed.work = executed_work(
      schedule_, stage_, passes.work, batch.rows(), rows, batch.length(),
      plan::frozen_in_step(run_.plan, stage_, live_.model->params().table(), progress_.stage_step));
  if (!computed.work.idle.none()) freeze_what_is_not_trained(computed.work.idle);
  const at::Tensor loss =
      gradient_.add_up(*live_.model, batch.tokens_BS, passes, shards_.shared());
  if (live_.adapters) computed.work.idle = pull_back(stage_, live_);
  const at::Tensor norm = norm_with_adapters(shards_.norm(*live_.model), live_.adapters.get());
  if (another) feed_.prepare(shape_at(progress_.step + 1));
  computed.loss = loss.item<double>();
  computed.norm = norm.item<double>();
  computed.student_loss = loss_of_student();
  return computed;
}

// Ranks have the losses of their own passes. The number is only for the log, so the order in which
// they are added may depend on the ranks.
std::optional<double> TrainingStep::loss_of_student() {
  if (!stage_.policies.teacher) return {};
  const at::Tensor loss = model::take_student_loss(*live_.model);
  std::vector<double> sum{loss.defined() ? loss.item<double>() : 0};
  run_.ranks.sum(sum);
  return sum[0];
}

void TrainingStep::update(const ComputedGradient& computed) {
  const double lr = plan::learning_rate(run_.plan, stage_, progress_.step, progress_.stage_step,
                                        progress_.total_steps);
  const double clip = clip_factor(computed.norm, schedule_.optimizer.clip);
  shards_.step(*live_.model, optimizer_, lr, progress_.step + 1, clip);
  if (live_.adapters) step_adapters(live_, optimizer_, lr, clip);
  const ExecutedWork& work = computed.work;
  keep_age(live_.model->params().table(), work.idle, live_.header.histories);
  if (!work.idle.none()) freeze_what_is_not_trained();
  ++progress_.step;
  ++progress_.stage_step;
  progress_.tokens += computed.batch.rows() * computed.batch.length();
  progress_.flops += work.flops + policy_flops_;
  progress_.learning_rate = lr;
  live_.header.data.index = computed.batch.next;
  if (schedule_.ema && is_due(progress_.step, schedule_.ema->every))
    ema_step(live_.model->params(), schedule_.ema->decay);
}

}  // namespace stagedtrain::train
