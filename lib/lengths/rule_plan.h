// How long are a schedule's stages by a published rule?
#pragma once

#include "fit/planning_law.h"
#include "plan/run_plan.h"
#include "scaling/rules.h"

namespace stagedtrain::plan {

struct RuleOptions {
  std::string rule;          // the name of a rule in scaling::rules()
  std::int64_t stages = 0;   // 0: the schedule's own, if it has two or more, else the rule's
  double mixing_tokens = 0;  // for one-jump
  PlanningLaw law = find_planning_law("chinchilla");  // for rules by a slope
};

struct RulePlan {
  const scaling::Rule* rule = nullptr;
  schedule::Schedule schedule;  // resolve() accepts it
  std::vector<std::string> warnings;
};

// Throws Error(usage) for a model with a looped core, whose stages are not smaller stacks of
// layers. `what` asks for such stages, as "--rule g-stack".
void require_plain_stack(const arch::ModelConfig& model, const std::string& what);

// Sets the lengths of a schedule's stages by a rule; the run keeps its tokens. Stages keep their
// sizes and operators. If the number of stages is given, or the schedule has only one, the stages
// are the rule's: equal steps of depth, half the depth or width, a quarter of the layers for
// stacking, or one layer for one-jump. Throws Error(usage), with the reason, if the rule does not
// apply, for a schedule that starts from a checkpoint, and as resolve() does.
RulePlan plan_by_rule(const schedule::Schedule& schedule, const RuleOptions& options,
                      const DataFacts& facts = {});

std::string to_text(const RulePlan& plan);
Json to_json(const RulePlan& plan);

}  // namespace stagedtrain::plan
