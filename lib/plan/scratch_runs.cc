// Which runs from scratch is a staged run compared with? The final model alone, once for each
// budget.
#include <algorithm>
#include <cmath>

#include "plan/chosen_stages.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;

const Tree& budgets_place(const Schedule& s) {
  const Tree* scratch = s.source.find("scratch");
  const Tree* budgets = scratch ? scratch->find("budgets") : nullptr;
  return budgets ? *budgets : s.source;
}

}  // namespace

std::vector<RunPlan> resolve_scratch(const RunPlan& staged) {
  std::vector<RunPlan> plans;
  const Schedule& s = staged.schedule;
  for (const Duration& budget : s.scratch.budgets) {
    schedule::StageSpec stage;
    stage.name = "scratch";
    stage.length = budget;
    if (budget.unit == DurationUnit::percent)
      stage.length = {std::round(budget.amount / 100 * static_cast<double>(staged.total_steps)),
                      DurationUnit::steps};
    if (stage.length.amount < 1)
      throw budgets_place(s).error("scratch.budgets: '{}' is less than one step",
                                   to_string(budget));
    const Schedule one = with_only(s, stage);
    plans.push_back(
        at_place(budgets_place(s), "scratch.budgets", [&] { return resolve(one, staged.facts); }));
    plans.back().role = Role::scratch;
  }
  std::sort(plans.begin(), plans.end(),
            [](const RunPlan& a, const RunPlan& b) { return a.total_steps < b.total_steps; });
  for (std::size_t i = 0; i + 1 < plans.size(); ++i) {
    // wsd runs of two lengths with the same warm-up are identical until the shorter one decays.
    const bool shared = s.lr.curve == "wsd" && plans[i].warmup_steps == plans[i + 1].warmup_steps;
    if (shared) plans[i].branch_step = plans[i].total_steps - plans[i].decay_steps;
  }
  return plans;
}

}  // namespace stagedtrain::plan
