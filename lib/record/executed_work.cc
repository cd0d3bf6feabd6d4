// Sums over the passes of a step.
#include "record/executed_work.h"

#include <algorithm>

#include "plan/step_sums.h"

namespace stagedtrain::train {

std::vector<arch::StepWork> passes_of_step(const plan::RunPlan& plan, const plan::StagePlan& stage,
                                           const state::Progress& at, std::int64_t passes) {
  std::vector<arch::StepWork> work;
  if (!plan::layer_policy(stage)) return work;
  for (std::int64_t pass = 0; pass < passes; ++pass)
    work.push_back(plan::step_work(plan, stage, at.step, at.stage_step, pass));
  return work;
}

static double optimizer_flops(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                              const std::vector<bool>& idle) {
  if (stage.model.layers == 0) return 0;
  double moved = 0;  // layers
  for (std::int64_t layer = 0; layer < stage.model.layers; ++layer)
    if (idle.empty() || !idle[static_cast<std::size_t>(layer)]) moved += stage.trained.share(layer);
  return moved / static_cast<double>(stage.model.layers) *
         plan::optimizer_flops_per_step(schedule, stage.model);
}

ExecutedWork executed_work(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                           const std::vector<arch::StepWork>& passes, std::int64_t rows,
                           std::int64_t rows_of_pass, std::int64_t length) {
  const std::int64_t layers = stage.model.layers;
  if (passes.empty()) {
    const auto tokens = static_cast<double>(rows * length);
    return {tokens * arch::step_flops_per_token(stage.model, {}, stage.trained, length).total +
                optimizer_flops(schedule, stage, {}),
            static_cast<double>(layers),
            {}};
  }
  ExecutedWork sum;
  sum.idle_layers.assign(static_cast<std::size_t>(layers), true);
  for (std::size_t pass = 0; pass < passes.size(); ++pass) {
    const std::int64_t first = static_cast<std::int64_t>(pass) * rows_of_pass;
    const std::int64_t here = std::min(rows_of_pass, rows - first);
    const auto tokens = static_cast<double>(here * length);
    sum.flops += tokens * arch::step_flops_per_token(stage.model, passes[pass], {}, length).total;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      if (!passes[pass].runs(layer)) continue;
      sum.layers += static_cast<double>(here) / static_cast<double>(rows);
      sum.idle_layers[static_cast<std::size_t>(layer)] = false;
    }
  }
  if (std::ranges::find(sum.idle_layers, true) == sum.idle_layers.end()) sum.idle_layers.clear();
  sum.flops += optimizer_flops(schedule, stage, sum.idle_layers);
  return sum;
}

void keep_age(const arch::ParamTable& table, const std::vector<bool>& idle_layers,
              std::vector<state::TensorHistory>& histories) {
  if (idle_layers.empty()) return;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const int layer = table[i].layer;
    if (layer >= 0 && idle_layers[static_cast<std::size_t>(layer)]) ++histories[i].age.start;
  }
}

}  // namespace stagedtrain::train
