// Which published growth path divides a run into stages? Presets by name, with equal steps of
// depth.
#pragma once

#include <string>
#include <vector>

#include "lengths/rule_plan.h"

namespace stagedtrain::plan {

// The run of a model of k blocks begins with one block, and each stage adds a block. Presets that
// freeze choose the depths of stages so that they need the least memory (memory_depths.h); each
// stage after the first then trains its new layers, and adapters of the old ones.
struct Preset {
  const char* name;
  const char* source;
  const char* order;    // the option of the operator depth: which block a stage repeats, and where
  const char* moments;  // the option of the operator depth: the moments of new layers
  const char* rule;  // the rule for stage lengths (scaling/rules.h), unless the user gives one
  const char* new_layers = "copied";  // the option of the operator depth
  bool freezes = false;
};
const std::vector<Preset>& presets();
// Throws Error(usage), with the nearest name, for an unknown name.
const Preset& find_preset(const std::string& name);

// Replaces the stages of a schedule by options.stages stages of the preset (0 means four, or two if
// it freezes), with lengths by options.rule (empty means the preset's rule). The run keeps its
// tokens and its final model. Throws Error(usage) unless the number of stages divides the final
// model's layers, or is 2 or 3 if the preset freezes, and as plan_by_rule() does.
RulePlan plan_by_preset(const schedule::Schedule& schedule, const Preset& preset,
                        RuleOptions options, const DataFacts& facts = {});

}  // namespace stagedtrain::plan
