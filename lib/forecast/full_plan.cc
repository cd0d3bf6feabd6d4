// Combines a plan with its costs and its forecast, and prints them one after the other.
#include "forecast/full_plan.h"

#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

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
      if (f.assumption == scaling::Assumption::loss_state)
        others.push_back({name, f.savings.flops});
  }
  return others;
}

std::string sizes_text(const std::vector<SizeRuns>& sizes) {
  if (sizes.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"model", "steps", "tokens", "FLOPs"}};
  for (const SizeRuns& size : sizes)
    for (const RunPlan& run : size.budgets)
      rows.push_back({size.name, grouped(run.total_steps),
                      short_count(static_cast<double>(run.tokens)), short_count(run.flops)});
  return "\nother sizes from scratch, for comparison (stagedtrain train --frontier)\n" +
         text_table(rows, 1, "  ");
}

Json sizes_json(const std::vector<SizeRuns>& sizes) {
  Json json = Json::array();
  for (const SizeRuns& size : sizes)
    for (const RunPlan& run : size.budgets)
      json.push_back({{"model", size.name},
                      {"steps", run.total_steps},
                      {"tokens", run.tokens},
                      {"flops", run.flops}});
  return json;
}

}  // namespace

FullPlan make_full_plan(RunPlan plan, const PlanningLaw& law, const Transfer& transfer,
                        const Measurements& known, const Processes& processes) {
  FullPlan full;
  full.plan = std::move(plan);
  full.scratch = resolve_scratch(full.plan);
  if (full.plan.schedule.scratch.frontier.sizes.kind != Tree::Kind::none)
    full.sizes = resolve_frontier(full.plan);
  full.cost = run_cost(full.plan, known, processes);
  full.outlook = forecast(full.plan, full.cost, law, transfer);
  if (full.outlook.nothing.empty() && full.plan.stages.size() > 1)
    full.others = other_laws(full.plan, full.cost, law);
  return full;
}

std::string to_text(const FullPlan& full) {
  const std::string sections = "\n" + to_text(full.plan, full.cost) + "\n" +
                               to_text(full.plan, full.outlook) + sizes_text(full.sizes);
  return to_text(full.plan, full.scratch, sections, full.outlook.warnings);
}

Json to_json(const FullPlan& full) {
  Json json = to_json(full.plan, full.scratch);
  json["frontier"] = sizes_json(full.sizes);
  json["costs"] = to_json(full.plan, full.cost);
  json["outlook"] = to_json(full.plan, full.outlook);
  json["other_laws"] = Json::array();
  for (const FullPlan::Other& other : full.others)
    json["other_laws"].push_back({{"law", other.law}, {"floor_flops", other.floor}});
  return json;
}

}  // namespace stagedtrain::plan
