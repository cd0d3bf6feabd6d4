// Growth paths of the literature, by name: stages of equal steps of depth that a schedule of one
// final model is cut into.
#pragma once

#include <string>
#include <vector>

#include "plan/rule_plan.h"

namespace stagedtrain::plan {

// A model of k blocks begins with one block, and each stage adds one.
struct Preset {
  const char* name;
  const char* source;
  const char* order;    // of the operator depth: which block each stage repeats, and where
  const char* moments;  // those of the new layers
  const char* rule;     // lengths of the stages, where the user gives none (law/rules.h)
};
const std::vector<Preset>& presets();
// Throws Error(usage) with the nearest name.
const Preset& find_preset(const std::string& name);

// The run keeps its tokens and its final model. Its stages are the preset's, options.stages of them
// (0: four), and as long as options.rule says (empty: the preset's rule). Throws Error(usage)
// unless the number of stages divides the final model's layers, and as plan_by_rule() does.
RulePlan plan_by_preset(const schedule::Schedule& schedule, const Preset& preset,
                        RuleOptions options, const DataFacts& facts = {});

}  // namespace stagedtrain::plan
