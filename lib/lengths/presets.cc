// Lists the presets, and writes their stages into a schedule.
#include "lengths/presets.h"

#include <algorithm>

#include "lengths/memory_depths.h"
#include "plan/chosen_stages.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// block: 0 for orders that have none.
Tree growth(const Preset& preset, std::int64_t layers, std::int64_t block) {
  Tree depth = Tree::map();
  depth.set("operator", Tree::scalar("depth"));
  depth.set("layers", Tree::scalar(std::to_string(layers)));
  depth.set("order", Tree::scalar(preset.order));
  if (block > 0) depth.set("block", Tree::scalar(std::to_string(block)));
  depth.set("new_layers", Tree::scalar(preset.new_layers));
  depth.set("moments", Tree::scalar(preset.moments));
  return Tree::list({depth});
}

// Returns the layers of the stages of 1 to k blocks.
std::vector<std::int64_t> equal_depths(const Preset& preset, const arch::ModelConfig& model,
                                       std::int64_t k) {
  if (model.layers % k != 0)
    throw usage_error(
        "{}: found {} layers and {} stages that add one block each, expected a number of stages "
        "that divides the layers",
        preset.name, model.layers, k)
        .with_hint("give another --stages");
  std::vector<std::int64_t> depths;
  for (std::int64_t i = 1; i <= k; ++i) depths.push_back(model.layers / k * i);
  return depths;
}

// Returns stages of these depths, of equal lengths.
std::vector<ChosenStage> stages_of(const Preset& preset, const RunPlan& base,
                                   const std::vector<std::int64_t>& depths) {
  arch::ModelConfig model = base.final_model;
  const std::int64_t k = std::ssize(depths);
  std::vector<ChosenStage> stages;
  for (std::int64_t i = 0; i < k; ++i) {
    model.layers = depths[static_cast<std::size_t>(i)];
    const std::int64_t steps = base.total_steps * (i + 1) / k - base.total_steps * i / k;
    ChosenStage& stage = stages.emplace_back(
        ChosenStage{size_name(model), model, Tree{}, std::max<std::int64_t>(steps, 1),
                    static_cast<double>(base.tokens) / static_cast<double>(k)});
    if (i == 0) continue;
    stage.grow = growth(preset, model.layers, preset.freezes ? 0 : depths[0]);
    if (!preset.freezes) continue;
    stage.train_only = schedule::TrainOnly::only_new;
    stage.policies.adapters = schedule::AdaptersSpec{};
  }
  return stages;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      {"midas", "Saunshi et al. 2024, arXiv 2409.19044", "middle", "copy", "prop-1"},
      {"gradual", "Reddi et al. 2023, arXiv 2309.12344", "last", "copy", "equal"},
      {"step", "Yano et al. 2025, arXiv 2504.04151", "upper", "reset_new", "equal", "mean", true},
  };
  return table;
}

const Preset& find_preset(const std::string& name) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  throw usage_error("--preset: found '{}'{}", name, suggestion(name, names));
}

RulePlan plan_by_preset(const schedule::Schedule& schedule, const Preset& preset,
                        RuleOptions options, const DataFacts& facts) {
  constexpr std::int64_t kStages = 4, kStagesThatFreeze = 2;
  const std::int64_t stages = options.stages   ? options.stages
                              : preset.freezes ? kStagesThatFreeze
                                               : kStages;
  const RunPlan base = resolve(schedule, facts);
  require_plain_stack(base.final_model, std::string("--preset ") + preset.name);
  const std::vector<std::int64_t> depths =
      preset.freezes ? depths_of_least_memory(base.final_model.layers, stages,
                                              bytes_of_layers(schedule, base.final_model))
                     : equal_depths(preset, base.final_model, stages);
  if (options.rule.empty()) options.rule = preset.rule;
  options.stages = 0;
  return plan_by_rule(with_stages(schedule, stages_of(preset, base, depths)), options, facts);
}

}  // namespace stagedtrain::plan
