// Turns the best growth path over the candidates into a schedule with stages of whole steps.
#include "optimize/optimize.h"

#include <algorithm>
#include <cmath>

#include "optimize/optimize_problem.h"
#include "optimize/optimize_warnings.h"
#include "plan/chosen_stages.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// Converts a position on the stage's own curve, in tokens, into a step of the run.
std::int64_t step_at(const OptimizedStage& stage, double own_tokens, double step_tokens) {
  const double tokens = own_tokens - stage.resume_tokens + stage.lost_tokens;
  return stage.first_step + std::max<std::int64_t>(1, whole_steps(tokens / step_tokens));
}

OptimizedStage make_stage(const Problem& problem, const Solution& solution, std::size_t i,
                          std::int64_t first_step, std::int64_t fewer_steps) {
  const scaling::GrowthPath& growth_path = solution.growth_path;
  const scaling::LossCurve& curve = *problem.family[growth_path.sizes[i]].curve;
  OptimizedStage stage;
  stage.size = problem.sizes[growth_path.sizes[i]];
  stage.name = problem.family[growth_path.sizes[i]].name;
  const double step_tokens = problem.step_tokens_of(stage.size);
  stage.first_step = first_step;
  double until = solution.run.tokens;
  if (i > 0) {
    stage.grow = growth_between(problem.sizes[growth_path.sizes[i - 1]].model, stage.size.model);
    stage.resume_tokens = growth_path.growths[i - 1].resume_tokens;
    stage.lost_tokens = problem.lost_tokens;
    stage.begin_loss = curve.loss(stage.resume_tokens);
  }
  if (i < growth_path.growths.size()) {
    until = growth_path.growths[i].small_tokens;
    stage.plateau = {step_at(stage, growth_path.growths[i].earliest, step_tokens),
                     step_at(stage, growth_path.growths[i].latest, step_tokens)};
  }
  stage.steps = step_at(stage, until, step_tokens) - first_step - fewer_steps;
  stage.tokens = static_cast<double>(stage.steps) * step_tokens;
  stage.flops = stage.tokens * stage.size.flops_per_token;
  stage.end_loss = curve.loss(stage.resume_tokens + stage.tokens - stage.lost_tokens);
  stage.end_slope = curve.log_slope(stage.end_loss);
  return stage;
}

std::vector<ChosenStage> chosen(const std::vector<OptimizedStage>& stages) {
  std::vector<ChosenStage> list;
  for (const OptimizedStage& s : stages)
    list.push_back({s.name, s.size.model, s.grow, s.steps, s.tokens});
  return list;
}

// Returns 1 - cost of the stages / cost of the run from scratch, where cost(size) is that of a
// token.
template <class F>
double saved(const Optimum& optimum, F cost) {
  double sum = 0;
  for (const OptimizedStage& stage : optimum.stages) sum += stage.tokens * cost(stage.size);
  return 1 - sum / (optimum.scratch_tokens * cost(optimum.stages.back().size));
}

Savings savings_of(const Optimum& optimum) {
  using C = const Candidate&;
  const RunCost& cost = optimum.full.cost;
  Savings savings;
  savings.flops = saved(optimum, [](C c) { return c.flops_per_token; });
  savings.causal_flops = saved(optimum, [](C c) {
    return c.flops_per_token - arch::attention_flops_per_token(c.model) / 2;
  });
  savings.parameters = saved(optimum, [](C c) { return static_cast<double>(c.params.active); });
  savings.non_embedding =
      saved(optimum, [](C c) { return static_cast<double>(c.params.non_embedding); });
  if (cost.timed)
    savings.seconds = 1 - cost.total.training_seconds /
                              (optimum.scratch_tokens * cost.stages.back().seconds_per_token);
  return savings;
}

// Makes the stages; the first one is `fewer` steps shorter than the solution's.
void fill_stages(const Problem& problem, const Solution& solution, std::int64_t fewer,
                 Optimum& optimum) {
  optimum.stages.clear();
  optimum.tokens = optimum.flops = 0;
  std::int64_t step = 0;
  for (std::size_t i = 0; i < solution.growth_path.sizes.size(); ++i) {
    optimum.stages.push_back(make_stage(problem, solution, i, step, i == 0 ? fewer : 0));
    step += optimum.stages.back().steps;
    optimum.tokens += optimum.stages.back().tokens;
    optimum.flops += optimum.stages.back().flops;
  }
}

// Whether the stages, which are rounded to whole steps, exceed a limit that the solution keeps.
bool rounded_beyond(const Problem& problem, const Solution& solution, const Optimum& optimum) {
  const OptimizeOptions& options = problem.options;
  double cost = 0;
  for (std::size_t i = 0; i < optimum.stages.size(); ++i)
    cost += optimum.stages[i].tokens * problem.costs[solution.growth_path.sizes[i]];
  return (options.most_tokens > 0 && optimum.tokens > options.most_tokens * (1 + 1e-9)) ||
         (options.goal.kind == Goal::Kind::cost && cost > options.goal.amount * (1 + 1e-9));
}

// Rounding adds less than a step for each stage, so the first stage gives up no more than that. A
// run from scratch to a given loss keeps its length.
void fill_stages_within(const Problem& problem, const Solution& solution, Optimum& optimum) {
  fill_stages(problem, solution, 0, optimum);
  if (optimum.stages.size() == 1 && problem.options.goal.kind != Goal::Kind::cost) return;
  const std::int64_t most = std::min(std::ssize(optimum.stages), optimum.stages.front().steps - 1);
  for (std::int64_t fewer = 1; fewer <= most && rounded_beyond(problem, solution, optimum); ++fewer)
    fill_stages(problem, solution, fewer, optimum);
}

// Cuts plateaus where the tail of the run begins. A later growth would need a longer run.
void end_plateaus(Optimum& optimum) {
  const RunPlan& plan = optimum.full.plan;
  for (OptimizedStage& stage : optimum.stages)
    if (stage.plateau)
      (*stage.plateau)[1] =
          std::max(stage.first_step + stage.steps,
                   std::min((*stage.plateau)[1], plan.total_steps - tail_steps(plan)));
}

// Returns the steps of the final model that are saved because the smaller model does the warm-up.
double warmup_saved(const Problem& problem, const Solution& solution) {
  const double ratio =
      problem.family[solution.growth_path.sizes[0]].cost / problem.final_size().cost;
  return static_cast<double>(problem.base.warmup_steps) / 2 * (1 - ratio);
}

// Writes the law and the assumption into the schedule, so that `train` predicts by the same ones.
void remember(const OptimizeOptions& options, double scratch_tokens, schedule::PlanSpec& plan) {
  plan.law = options.law.name;
  plan.transfer = word_of(options.transfer);
  plan.scratch = Duration{std::round(scratch_tokens), DurationUnit::tokens};
  if (options.transfer.mixing_tokens > 0)
    plan.mixing = Duration{options.transfer.mixing_tokens, DurationUnit::tokens};
}

Optimum solved(const RunPlan& base, const Problem& problem, const DataFacts& facts,
               double most_seconds = 0) {
  const OptimizeOptions& options = problem.options;
  const Solution solution = solve(problem, most_seconds);
  Optimum optimum;
  optimum.law = options.law;
  optimum.options = options;
  optimum.end_loss = solution.end_loss;
  optimum.scratch_tokens = solution.run.tokens;
  optimum.scratch_flops = solution.run.tokens * problem.sizes.back().flops_per_token;
  fill_stages_within(problem, solution, optimum);
  optimum.schedule = with_stages(base.schedule, chosen(optimum.stages));
  remember(options, solution.run.tokens, optimum.schedule.plan);
  optimum.full = make_full_plan(resolve(optimum.schedule, facts), options.law, options.transfer,
                                options.known);
  end_plateaus(optimum);
  optimum.planned = savings_of(optimum);
  optimum.floor = solution.floor;
  optimum.ceiling = solution.ceiling;
  optimum.all_sizes = solution.all_sizes;
  // If the run ends before endlessly many stages reach the final size, there is no such limit.
  if (options.law.endless)
    if (const auto limit = options.law.endless(problem.sizes.back().parameters);
        solution.end_loss <= limit.loss)
      optimum.endless = limit.tokens_saved / solution.run.tokens;
  optimum.warmup_steps_saved = warmup_saved(problem, solution);
  optimum.warnings = warnings_of(optimum, solution.why_not_grown);
  optimum.not_considered = problem.not_considered;
  optimum.full.outlook.warnings.clear();  // optimum.warnings has the same ones, in a better order
  return optimum;
}

// The number of evaluations changes by whole ones, so a few rounds are needed to keep a limit.
constexpr int kRounds = 8;

// Evaluations and saves take time too, and only a complete plan shows how much. So the limit of
// training is lowered until the whole run keeps its limit, if there is one.
Optimum solved_in_time(const RunPlan& base, const OptimizeOptions& options,
                       const DataFacts& facts) {
  const Problem problem = make_problem(base, options);
  const double most = options.most_seconds;
  Optimum optimum = solved(base, problem, facts);
  if (most == 0) return optimum;
  double training = most;
  for (int i = 0; i < kRounds && optimum.full.cost.total.seconds() > most; ++i) {
    const Costs& total = optimum.full.cost.total;
    training = std::min(most - (total.seconds() - total.training_seconds),
                        i == 0 ? most : training - (total.seconds() - most));
    if (!(training > 0)) break;
    optimum = solved(base, problem, facts, training);
  }
  const double training_alone = optimum.full.cost.total.training_seconds;
  if (optimum.full.cost.total.seconds() > most)
    throw usage_error(
        "the plan takes {}, of which {} are evaluations and saves, expected at most {}",
        short_seconds(optimum.full.cost.total.seconds()),
        short_seconds(optimum.full.cost.total.seconds() - training_alone), short_seconds(most))
        .with_hint(training_alone > most ? "accept a higher loss"
                                         : "evaluate and save less often, or accept a higher loss");
  return optimum;
}

// Returns what the whole run costs, in seconds or money.
double spent(const Optimum& optimum) {
  const Costs& total = optimum.full.cost.total;
  return optimum.options.unit == CostUnit::money ? total.money : total.seconds();
}

// Like solved_in_time, for a goal that is a time or a sum of money.
Optimum solved_for_cost(const RunPlan& base, OptimizeOptions options, const DataFacts& facts) {
  const double most = options.goal.amount;
  Optimum optimum = solved_in_time(base, options, facts);
  for (int i = 0; i < kRounds && spent(optimum) > most; ++i) {
    options.goal.amount -= spent(optimum) - most;
    if (!(options.goal.amount > 0)) break;
    optimum = solved_in_time(base, options, facts);
  }
  if (spent(optimum) > most)
    throw usage_error("--cost: evaluations and saves leave too little of it for training")
        .with_hint("evaluate and save less often, or allow more");
  optimum.options.goal.amount = most;
  return optimum;
}

}  // namespace

Optimum optimize(const schedule::Schedule& schedule, const OptimizeOptions& options,
                 const DataFacts& facts) {
  if (!schedule.from.empty())
    throw usage_error("plan --optimize: the schedule starts from {}, expected fresh weights",
                      schedule.from)
        .with_hint("remove the key from");
  const RunPlan base = resolve(schedule, facts);
  if (options.goal.kind == Goal::Kind::cost && options.unit != CostUnit::flops)
    return solved_for_cost(base, options, facts);
  return solved_in_time(base, options, facts);
}

}  // namespace stagedtrain::plan
