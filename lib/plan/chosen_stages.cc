// Writes chosen stages into a schedule: its list of stages, and the tree that it was read from.
#include "plan/chosen_stages.h"

namespace stagedtrain::plan {
namespace {

std::optional<schedule::StageLrSpec> rate_of(const ChosenStage& stage,
                                             const std::optional<schedule::StageLrSpec>& own,
                                             bool is_last) {
  if (!own) return std::nullopt;
  schedule::StageLrSpec lr;
  if (stage.grow.kind != Tree::Kind::none) lr.rewarm = own->rewarm;
  if (is_last) lr.peak = own->peak;
  if (!lr.rewarm && !lr.peak) return std::nullopt;
  return lr;
}

}  // namespace

Tree own_keys(const arch::ModelConfig& model, const arch::ModelConfig& last) {
  const Tree final_keys = write_fields(last);
  Tree keys = Tree::map();
  for (const TreeEntry& entry : write_fields(model).entries)
    if (final_keys.find(entry.key)->text != entry.value.text) keys.set(entry.key, entry.value);
  return keys;
}

schedule::Schedule with_only(schedule::Schedule s, const schedule::StageSpec& stage) {
  s.from.clear();
  s.budget.reset();
  s.data.select.reset();
  if (const Tree* data = s.source.find("data")) {
    Tree all = *data;
    all.erase("select");
    s.source.set("data", all);
  }
  s.stages = {stage};
  Tree written = Tree::map();
  written.set("name", Tree::scalar(stage.name));
  s.source.set("stages", Tree::list({written}));
  return s;
}

schedule::Schedule with_stages(schedule::Schedule s, const std::vector<ChosenStage>& stages) {
  std::vector<schedule::StageSpec> specs;
  Tree written = Tree::list({});
  for (const ChosenStage& stage : stages) {
    const bool is_last = &stage == &stages.back();
    schedule::StageSpec spec;
    spec.name = stage.name;
    spec.length = {static_cast<double>(stage.steps), DurationUnit::steps};
    if (s.batch.size_warmup) spec.length = {stage.tokens, DurationUnit::tokens};
    spec.grow = stage.grow;
    spec.train_only = stage.train_only;
    spec.policies = stage.policies;
    spec.lr = rate_of(stage, s.stages.back().lr, is_last);
    if (specs.empty() && !is_last) spec.model = own_keys(stage.model, stages.back().model);
    Tree item = Tree::map();
    item.set("name", Tree::scalar(stage.name));
    written.items.push_back(item);
    specs.push_back(spec);
  }
  s.stages = std::move(specs);
  s.source.set("stages", written);
  return s;
}

std::string size_name(const arch::ModelConfig& model) {
  return std::to_string(model.layers) + "x" + std::to_string(model.width);
}

}  // namespace stagedtrain::plan
