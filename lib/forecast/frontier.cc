// Makes plans from scratch for other sizes, each with shares of the staged run's FLOPs.
#include "forecast/frontier.h"

#include <algorithm>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "arch/size_text.h"
#include "plan/chosen_stages.h"
#include "plan/parameterization.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;

Tree size_of(const char* key, std::int64_t value) {
  Tree size = Tree::map();
  size.set(key, Tree::scalar(std::to_string(value)));
  return size;
}

std::vector<Tree> default_sizes(const RunPlan& staged) {
  std::vector<Tree> sizes;
  const arch::ModelConfig& last = staged.final_model;
  for (const StagePlan& stage : staged.stages)
    if (stage.model.context == last.context) sizes.push_back(own_keys(stage.model, last));
  if (arch::has_routed_layers(last)) sizes.push_back(size_of("routed_every", 0));
  if (arch::is_looped(last) || arch::has_routed_layers(last)) return sizes;
  if (last.layers > 1) sizes.push_back(size_of("layers", last.layers / 2));
  sizes.push_back(size_of("layers", 2 * last.layers));
  return sizes;
}

Schedule with_model(const Schedule& s, const Tree& size) {
  Schedule one = s;
  one.model = model_with_keys(size, "scratch.frontier.sizes", s);
  one.scratch.budgets.clear();
  return one;
}

// Refuses sizes of another context, vocabulary or architecture, whose losses cannot be compared.
void check_rest(const arch::ModelConfig& model, const arch::ModelConfig& last, const Tree& size) {
  if (model.context != last.context || model.vocab != last.vocab ||
      model.architecture != last.architecture)
    throw size.error(
        "scratch.frontier.sizes: found another architecture, context or vocab, expected those of "
        "the final model");
}

}  // namespace

std::vector<SizeRuns> resolve_frontier(const RunPlan& staged) {
  const Schedule& s = staged.schedule;
  const Tree& given = s.scratch.frontier.sizes;
  const bool chosen = given.kind == Tree::Kind::none;
  if (!chosen && given.items.empty())
    throw given.error("scratch.frontier.sizes: found none, expected at least one");
  if (s.scratch.frontier.budgets.empty())
    throw s.source.error("scratch.frontier.budgets: found none, expected at least one");
  std::vector<SizeRuns> all;
  for (const Tree& size : chosen ? default_sizes(staged) : given.items) {
    RunPlan one = staged;
    one.schedule = with_model(s, size);
    one.final_model =
        parameterized_at(size, "scratch.frontier.sizes", one.schedule, one.schedule.model);
    check_rest(one.final_model, staged.final_model, size);
    const std::string name = arch::size_text(one.final_model, staged.final_model);
    const bool again = std::ranges::find(all, name, &SizeRuns::name) != all.end();
    if (one.final_model == staged.final_model || again) {
      if (chosen) continue;
      throw size.error("scratch.frontier.sizes: {} is {}", name,
                       again ? "there twice" : "the final model, which --scratch trains");
    }
    for (Duration budget : s.scratch.frontier.budgets) {
      if (!(budget.amount > 0))
        throw s.source.error("scratch.frontier.budgets: found '{}', expected more than 0",
                             to_string(budget));
      if (budget.unit == DurationUnit::percent)
        budget = {budget.amount / 100 * staged.flops, DurationUnit::flops};
      one.schedule.scratch.budgets.push_back(budget);
    }
    all.push_back({name, resolve_scratch(one)});
  }
  return all;
}

}  // namespace stagedtrain::plan
