// The table of presets, and how their stages are written into a schedule.
#include "lengths/presets.h"

#include <algorithm>

#include "plan/chosen_stages.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

Tree growth(const Preset& preset, std::int64_t layers, std::int64_t block) {
  Tree depth = Tree::map();
  depth.set("operator", Tree::scalar("depth"));
  depth.set("layers", Tree::scalar(std::to_string(layers)));
  depth.set("order", Tree::scalar(preset.order));
  depth.set("block", Tree::scalar(std::to_string(block)));
  depth.set("new_layers", Tree::scalar("copied"));
  depth.set("moments", Tree::scalar(preset.moments));
  return Tree::list({depth});
}

// Returns k stages of 1 to k blocks, of equal lengths.
std::vector<ChosenStage> stages_of(const Preset& preset, const RunPlan& base, std::int64_t k) {
  arch::ModelConfig model = base.final_model;
  if (model.layers % k != 0)
    throw usage_error(
        "{}: found {} layers and {} stages that add one block each, expected a number of stages "
        "that divides the layers",
        preset.name, model.layers, k)
        .with_hint("give another --stages");
  const std::int64_t block = model.layers / k;
  std::vector<ChosenStage> stages;
  for (std::int64_t i = 1; i <= k; ++i) {
    model.layers = i * block;
    const std::int64_t steps = base.total_steps * i / k - base.total_steps * (i - 1) / k;
    stages.push_back({size_name(model), model, i > 1 ? growth(preset, model.layers, block) : Tree{},
                      std::max<std::int64_t>(steps, 1),
                      static_cast<double>(base.tokens) / static_cast<double>(k)});
  }
  return stages;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      {"midas", "Saunshi et al. 2024, arXiv 2409.19044", "middle", "copy", "prop-1"},
      {"gradual", "Reddi et al. 2023, arXiv 2309.12344", "last", "copy", "equal"},
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
  constexpr std::int64_t kStages = 4;
  const std::int64_t stages = options.stages ? options.stages : kStages;
  const RunPlan base = resolve(schedule, facts);
  if (options.rule.empty()) options.rule = preset.rule;
  options.stages = 0;
  return plan_by_rule(with_stages(schedule, stages_of(preset, base, stages)), options, facts);
}

}  // namespace stagedtrain::plan
