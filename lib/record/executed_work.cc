// Sums over the passes of a step.
#include "record/executed_work.h"

#include <algorithm>

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

// Notes what of a layer ran. Lists are emptied by drop_full_lists if they say that everything did.
void note_run(const arch::LayerWork& one, std::int64_t all_units, arch::IdleParts& idle) {
  const auto layer = static_cast<std::size_t>(one.layer);
  idle.layers[layer] = false;
  idle.ffn[layer] = std::max(idle.ffn[layer], one.units(all_units));
}

void drop_full_lists(std::int64_t all_units, arch::IdleParts& idle) {
  for (std::size_t layer = 0; layer < idle.layers.size(); ++layer)
    if (idle.layers[layer]) idle.ffn[layer] = all_units;  // the whole layer is idle
  if (std::ranges::find(idle.layers, true) == idle.layers.end()) idle.layers.clear();
  if (std::ranges::all_of(idle.ffn, [&](std::int64_t n) { return n == all_units; }))
    idle.ffn.clear();
}

// Cuts a region before this row, or column if !by_row, if it lies on both sides.
void cut_region(std::vector<state::AgedRegion>& regions, std::size_t i, bool by_row,
                std::int64_t at) {
  state::AgedRegion& first = regions[i];
  const std::int64_t begin = by_row ? first.row : first.column;
  std::int64_t& size = by_row ? first.rows : first.columns;
  if (at <= begin || at >= begin + size) return;
  state::AgedRegion second = first;
  (by_row ? second.row : second.column) = at;
  (by_row ? second.rows : second.columns) = begin + size - at;
  size = at - begin;
  regions.push_back(second);
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
    sum.layers = static_cast<double>(layers);
    const arch::TrainedParts trained =
        frozen.empty() ? stage.trained : arch::trained_parts(stage.model, frozen);
    sum.idle.frozen = std::move(frozen);
    sum.flops = static_cast<double>(rows * length) *
                    arch::step_flops_per_token(stage.model, {}, trained, length).total +
                optimizer_flops(schedule, stage, trained, {});
    return sum;
  }
  sum.idle.layers.assign(static_cast<std::size_t>(layers), true);
  sum.idle.ffn.assign(static_cast<std::size_t>(layers), 0);
  for (std::size_t pass = 0; pass < passes.size(); ++pass) {
    const std::int64_t first = static_cast<std::int64_t>(pass) * rows_of_pass;
    const std::int64_t here = std::min(rows_of_pass, rows - first);
    sum.flops += static_cast<double>(here * length) *
                 arch::step_flops_per_token(stage.model, passes[pass], {}, length).total;
    for (const arch::LayerWork& one : passes[pass].list(layers)) {
      sum.layers += static_cast<double>(here) / static_cast<double>(rows);
      note_run(one, stage.model.ffn, sum.idle);
    }
  }
  drop_full_lists(stage.model.ffn, sum.idle);
  sum.flops += optimizer_flops(schedule, stage, {}, sum.idle);
  return sum;
}

void cut_at_idle_units(const arch::ParamTable& table, const arch::IdleParts& idle,
                       std::vector<state::TensorHistory>& histories) {
  if (idle.ffn.empty()) return;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::int64_t units = idle.units_of(table[i]);
    if (units < 0) continue;
    const bool by_row = table[i].axes[0].axis == arch::Axis::ffn;
    const std::vector<std::int64_t> shape = table[i].shape();
    const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
    if (units == (by_row ? shape[0] : columns)) continue;
    std::vector<state::AgedRegion>& regions = histories[i].regions;
    if (regions.empty()) regions.push_back({0, 0, shape[0], columns, histories[i].age});
    for (std::size_t r = 0, count = regions.size(); r < count; ++r)
      cut_region(regions, r, by_row, units);
  }
}

void keep_age(const arch::ParamTable& table, const arch::IdleParts& idle,
              std::vector<state::TensorHistory>& histories) {
  if (idle.none()) return;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const bool whole = idle.is_idle_layer(table[i].layer) || idle.is_frozen(i);
    if (whole) ++histories[i].age.start;
    for (state::AgedRegion& region : histories[i].regions)
      if (whole || idle.is_idle(table[i], region.row, region.column)) ++region.age.start;
  }
}

}  // namespace stagedtrain::train
