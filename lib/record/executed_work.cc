// Sums over the passes of a step.
#include "record/executed_work.h"

#include <algorithm>

#include "arch/loops.h"
#include "plan/step_sums.h"

namespace stagedtrain::train {
namespace {

double optimizer_flops(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                       const arch::TrainedParts& trained, const arch::IdleParts& idle) {
  if (stage.model.layers == 0) return 0;
  double moved = 0;  // layers
  for (std::int64_t layer = 0; layer < stage.model.layers; ++layer)
    if (!idle.is_idle_layer(layer)) moved += trained.share(layer);
  return moved / static_cast<double>(stage.model.layers) *
         plan::optimizer_flops_per_step(schedule, stage.model);
}

// Returns the FLOPs of a token in a step that runs the whole model. Those of a policy that neither
// draws work nor freezes tensors are the same in every step.
double flops_of_token(const plan::StagePlan& stage, const arch::TrainedParts& trained,
                      std::int64_t length) {
  const plan::Policy* policy = plan::stage_policy(stage);
  if (policy && !policy->frozen) return plan::expected_flops_per_token(stage, length).total;
  return arch::step_flops_per_token(stage.model, {}, trained, length).total;
}

}  // namespace

std::vector<arch::StepWork> passes_of_step(const plan::RunPlan& plan, const plan::StagePlan& stage,
                                           const state::Progress& at, std::int64_t passes,
                                           std::int64_t rows) {
  std::vector<arch::StepWork> work;
  const plan::Policy* policy = plan::stage_policy(stage);
  if (!policy || !policy->work) return work;
  for (std::int64_t pass = 0; pass < passes; ++pass)
    work.push_back(plan::step_work(plan, stage, at.step, at.stage_step, pass, rows));
  return work;
}

ExecutedWork executed_work(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                           const std::vector<arch::StepWork>& passes, std::int64_t rows,
                           std::int64_t rows_of_pass, std::int64_t length,
                           std::vector<bool> frozen) {
  const std::int64_t layers = stage.model.layers;
  ExecutedWork sum;
  if (passes.empty()) {
    sum.layers = static_cast<double>(arch::executed_layers(stage.model));
    const arch::TrainedParts trained =
        frozen.empty() ? stage.trained : arch::trained_parts(stage.model, frozen);
    sum.idle.frozen = std::move(frozen);
    sum.flops = static_cast<double>(rows * length) * flops_of_token(stage, trained, length) +
                optimizer_flops(schedule, stage, trained, {});
    return sum;
  }
  sum.idle.layers.assign(static_cast<std::size_t>(layers), true);
  for (std::size_t pass = 0; pass < passes.size(); ++pass) {
    const std::int64_t first = static_cast<std::int64_t>(pass) * rows_of_pass;
    const std::int64_t here = std::min(rows_of_pass, rows - first);
    sum.flops += static_cast<double>(here * length) *
                 arch::step_flops_per_token(stage.model, passes[pass], {}, length).total;
    for (const arch::LayerWork& one : passes[pass].list(layers)) {
      sum.layers += static_cast<double>(here) / static_cast<double>(rows);
      sum.idle.layers[static_cast<std::size_t>(one.layer)] = false;
    }
  }
  if (std::ranges::find(sum.idle.layers, true) == sum.idle.layers.end()) sum.idle.layers.clear();
  sum.flops += optimizer_flops(schedule, stage, {}, sum.idle);
  return sum;
}

void keep_age(const arch::ParamTable& table, const arch::IdleParts& idle,
              std::vector<state::TensorHistory>& histories) {
  if (idle.none()) return;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (idle.is_idle_layer(table[i].layer) || idle.is_frozen(i)) ++histories[i].age.start;
}

}  // namespace stagedtrain::train
