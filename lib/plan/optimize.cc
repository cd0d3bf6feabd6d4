// Candidates, the best ladder over them, and that ladder as stages of whole steps.
#include "plan/optimize.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "plan/optimize_warnings.h"

namespace stagedtrain::plan {
namespace {

using law::Assumption;

// All that the choice of stages needs, worked out once.
struct Problem {
  const OptimizeOptions& options;
  std::vector<Candidate> sizes;
  law::Family family;  // the same, with curves
  law::RunLength run;
  double end_loss = 0;

  const law::Size& final_size() const { return family.back(); }
};

std::string size_name(const arch::ModelConfig& model) {
  return fmt::format("{}x{}", model.layers, model.width);
}

Problem make_problem(const RunPlan& plan, const OptimizeOptions& options) {
  Problem problem{options, {}, {}, {}};
  for (const Candidate& size : candidates(plan.final_model, options.law)) {
    const auto curve = options.law.curve(size.parameters);
    if (!curve) continue;  // a law of own curves knows few sizes
    problem.sizes.push_back(size);
    problem.family.push_back({size_name(size.model), size.flops_per_token, curve});
  }
  if (problem.sizes.empty() || problem.sizes.back().model != plan.final_model)
    throw usage_error("the law {} has no curve of the final model", options.law.name)
        .with_hint("fit a run of it: stagedtrain plan --fit RUN... --out FILE.json");
  const double tokens =
      options.end_tokens > 0 ? options.end_tokens : static_cast<double>(plan.tokens);
  const double decay =
      static_cast<double>(plan.decay_steps) / static_cast<double>(plan.total_steps);
  problem.run = {.tokens = tokens, .decay = decay * tokens, .mixing = options.mixing_tokens};
  problem.end_loss = problem.final_size().curve->loss(tokens);
  refuse_nonsense(options.law, problem.final_size(), plan.final_model, tokens);
  return problem;
}

// Every growth comes before the rate comes down.
law::Ladders loss_state_ladders(const Problem& problem) {
  const double before_decay =
      problem.final_size().curve->loss(problem.run.tokens - problem.run.decay);
  return law::Ladders(problem.family, before_decay, [&](std::size_t a, std::size_t b) {
    return connected(problem.sizes[a].model, problem.sizes[b].model);
  });
}

// One growth from a size straight into the final one.
law::Ladder one_jump(const Problem& problem, std::size_t from, law::Growth growth) {
  const std::size_t last = problem.family.size() - 1;
  if (!growth.pays()) return {{last}, {}, 0, 0};
  return {{from, last}, {growth}, growth.credit, growth.credit / problem.run.tokens};
}

// Under mixing the smallest size saves most, as nothing of it is missed later.
law::Ladder mixing_ladder(const Problem& problem) {
  if (problem.family.size() < 2) return {{0}, {}, 0, 0};
  return one_jump(problem, 0,
                  law::mixing_growth(problem.family[0], problem.final_size(), problem.run));
}

// A constant rho lets the growth wait until the resume point is the last moment before the decay.
// Sizes are chosen under loss-state: rho was measured for one pair and says nothing of others.
law::Ladder measured_ladder(const Problem& problem, const law::Ladders& ladders) {
  const law::Ladder chosen = ladders.best(2);
  if (chosen.growths.empty()) return chosen;
  const std::size_t from = chosen.sizes[0];
  const double tokens = problem.options.rho * problem.run.last_growth();
  return one_jump(problem, from,
                  law::measured_growth(problem.family[from], problem.final_size(), tokens,
                                       problem.options.rho));
}

// Position on the run of a time on the stage's own curve.
std::int64_t step_at(const OptimizedStage& stage, double own_tokens, double step_tokens) {
  return stage.first_step +
         std::max<std::int64_t>(1, std::llround((own_tokens - stage.resume_tokens) / step_tokens));
}

OptimizedStage make_stage(const Problem& problem, const law::Ladder& ladder, std::size_t i,
                          std::int64_t first_step, double step_tokens) {
  const law::LossCurve& curve = *problem.family[ladder.sizes[i]].curve;
  OptimizedStage stage;
  stage.size = problem.sizes[ladder.sizes[i]];
  stage.name = size_name(stage.size.model);
  stage.first_step = first_step;
  double until = problem.run.tokens;
  if (i > 0) {
    stage.grow = growth_between(problem.sizes[ladder.sizes[i - 1]].model, stage.size.model);
    stage.resume_tokens = ladder.growths[i - 1].resume_tokens;
    stage.begin_loss = curve.loss(stage.resume_tokens);
  }
  if (i < ladder.growths.size()) {
    until = ladder.growths[i].small_tokens;
    stage.plateau = {step_at(stage, ladder.growths[i].earliest, step_tokens),
                     step_at(stage, ladder.growths[i].latest, step_tokens)};
  }
  stage.steps = step_at(stage, until, step_tokens) - first_step;
  stage.tokens = static_cast<double>(stage.steps) * step_tokens;
  stage.flops = stage.tokens * stage.size.flops_per_token;
  stage.end_loss = curve.loss(stage.resume_tokens + stage.tokens);
  stage.end_slope = curve.log_slope(stage.end_loss);
  return stage;
}

// The stages as the schedule's own; the tree that they were read from is made to match.
schedule::Schedule with_stages(schedule::Schedule s, const std::vector<OptimizedStage>& stages) {
  const Tree final_keys = write_fields(stages.back().size.model);
  s.stages.clear();
  Tree written = Tree::list({});
  for (const OptimizedStage& stage : stages) {
    schedule::StageSpec spec;
    spec.name = stage.name;
    spec.length = {static_cast<double>(stage.steps), DurationUnit::steps};
    if (s.batch.size_warmup) spec.length = {stage.tokens, DurationUnit::tokens};
    spec.grow = stage.grow;
    if (s.stages.empty() && stages.size() > 1) {
      spec.model = Tree::map();
      for (const TreeEntry& entry : write_fields(stage.size.model).entries)
        if (final_keys.find(entry.key)->text != entry.value.text)
          spec.model.set(entry.key, entry.value);
    }
    Tree item = Tree::map();
    item.set("name", Tree::scalar(stage.name));
    written.items.push_back(item);
    s.stages.push_back(spec);
  }
  s.source.set("stages", written);
  return s;
}

// 1 - cost of the stages / cost of the run from scratch, when a token costs as `cost` says.
template <class F>
double saved(const Optimum& optimum, F cost) {
  double sum = 0;
  for (const OptimizedStage& stage : optimum.stages) sum += stage.tokens * cost(stage.size);
  return 1 - sum / (optimum.scratch_tokens * cost(optimum.stages.back().size));
}

Savings savings_of(const Optimum& optimum) {
  using C = const Candidate&;
  return {saved(optimum, [](C c) { return c.flops_per_token; }),
          saved(optimum, [](C c) { return static_cast<double>(c.params.total); }),
          saved(optimum, [](C c) { return static_cast<double>(c.params.non_embedding); })};
}

// The smallest size of the plan, or the cheapest that is worth a jump if there was none.
double ceiling_of(const Problem& problem, const law::Ladder& ladder) {
  const std::size_t from = ladder.growths.empty() ? 0 : ladder.sizes[0];
  if (from + 1 == problem.family.size()) return 0;
  if (problem.run.decay + problem.run.mixing >= problem.run.tokens) return 0;
  return law::mixing_growth(problem.family[from], problem.final_size(), problem.run).credit /
         problem.run.tokens;
}

}  // namespace

Optimum optimize(const schedule::Schedule& schedule, const OptimizeOptions& options,
                 const DataFacts& facts) {
  if (!schedule.from.empty())
    throw usage_error("plan --optimize: the schedule starts from {}, expected fresh weights",
                      schedule.from)
        .with_hint("remove the key from");
  const RunPlan plan = resolve(schedule, facts);
  const Problem problem = make_problem(plan, options);
  const law::Ladders ladders = loss_state_ladders(problem);
  const law::Ladder floor = ladders.best(static_cast<std::size_t>(options.most_stages));
  law::Ladder ladder = floor;
  if (options.transfer == Assumption::mixing) ladder = mixing_ladder(problem);
  if (options.transfer == Assumption::measured) ladder = measured_ladder(problem, ladders);

  Optimum optimum;
  optimum.law = options.law;
  optimum.assumption = options.transfer;
  optimum.end_loss = problem.end_loss;
  optimum.scratch_tokens = problem.run.tokens;
  optimum.scratch_flops = problem.run.tokens * problem.sizes.back().flops_per_token;
  const auto step_tokens = static_cast<double>(schedule.batch.sequences * plan.final_model.context);
  std::int64_t step = 0;
  for (std::size_t i = 0; i < ladder.sizes.size(); ++i) {
    optimum.stages.push_back(make_stage(problem, ladder, i, step, step_tokens));
    step += optimum.stages.back().steps;
    optimum.flops += optimum.stages.back().flops;
  }
  optimum.planned = savings_of(optimum);
  optimum.floor = floor.credit / problem.run.tokens;
  optimum.ceiling = ceiling_of(problem, ladder);
  optimum.all_sizes = ladders.best(problem.family.size()).credit / problem.run.tokens;
  optimum.schedule = with_stages(schedule, optimum.stages);
  optimum.warnings = warnings_of(optimum, options);
  return optimum;
}

}  // namespace stagedtrain::plan
