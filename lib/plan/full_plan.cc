// Puts plan, costs and forecast together, and prints them one after the other.
#include "plan/full_plan.h"

#include "base/text.h"

namespace stagedtrain::plan {

FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer,
                        const Measurements& known) {
  FullPlan full;
  full.plan = std::move(plan);
  full.scratch = resolve_scratch(full.plan);
  full.cost = run_cost(full.plan, known);
  full.outlook = forecast(full.plan, full.cost, law, transfer);
  return full;
}

std::string to_text(const FullPlan& full) {
  const std::string sections =
      "\n" + to_text(full.plan, full.cost) + "\n" + to_text(full.plan, full.outlook);
  return to_text(full.plan, full.scratch, sections, full.outlook.warnings);
}

Json to_json(const FullPlan& full) {
  Json json = to_json(full.plan, full.scratch);
  json["costs"] = to_json(full.plan, full.cost);
  json["outlook"] = to_json(full.plan, full.outlook);
  return json;
}

}  // namespace stagedtrain::plan
