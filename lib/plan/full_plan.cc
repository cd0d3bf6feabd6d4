// Puts plan, costs and forecast together, and prints them one after the other.
#include "plan/full_plan.h"

#include "base/text.h"

namespace stagedtrain::plan {

namespace {

std::vector<FullPlan::Other> other_laws(const RunPlan& plan, const RunCost& cost,
                                        const PlanningLaw& law) {
  std::vector<FullPlan::Other> others;
  for (const char* name : {"chinchilla", "hoffmann", "kaplan"}) {
    const PlanningLaw other = find_planning_law(name);
    if (other.name == law.name || other.source == law.source) continue;
    const Outlook outlook = forecast(plan, cost, other, {});
    for (const Forecast& f : outlook.forecasts)
      if (f.assumption == law::Assumption::loss_state) others.push_back({name, f.savings.flops});
  }
  return others;
}

}  // namespace

FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer,
                        const Measurements& known) {
  FullPlan full;
  full.plan = std::move(plan);
  full.scratch = resolve_scratch(full.plan);
  full.cost = run_cost(full.plan, known);
  full.outlook = forecast(full.plan, full.cost, law, transfer);
  if (full.outlook.nothing.empty() && full.plan.stages.size() > 1)
    full.others = other_laws(full.plan, full.cost, law);
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
  json["other_laws"] = Json::array();
  for (const FullPlan::Other& other : full.others)
    json["other_laws"].push_back({{"law", other.law}, {"floor_flops", other.floor}});
  return json;
}

}  // namespace stagedtrain::plan
