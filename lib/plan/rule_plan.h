// A schedule's stages as long as a rule of the literature says.
#pragma once

#include "law/rules.h"
#include "plan/planning_law.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct RuleOptions {
  std::string rule;          // of law::rules()
  std::int64_t stages = 0;   // 0: the schedule's own, if it has two or more, else the rule's
  double mixing_tokens = 0;  // for one-jump
  PlanningLaw law = find_planning_law("chinchilla");  // for the paper's thresholds
};

struct RulePlan {
  const law::Rule* rule = nullptr;
  schedule::Schedule schedule;  // resolve() accepts it
  std::vector<std::string> warnings;
};

// The run keeps its tokens; its stages keep sizes and operators, or, where their number is given or
// the schedule has but one, are the rule's: equal steps of depth, half the depth or width, a
// quarter of the layers for stacking, one layer for the one jump. Throws Error(usage) with the
// reason where the rule does not hold, and as resolve() does.
RulePlan plan_by_rule(const schedule::Schedule& schedule, const RuleOptions& options,
                      const DataFacts& facts = {});

std::string to_text(const RulePlan& plan);
Json to_json(const RulePlan& plan);

}  // namespace stagedtrain::plan
