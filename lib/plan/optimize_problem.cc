// Sizes that can be trained and priced, and which of them to train one after the other.
#include "plan/optimize_problem.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "plan/chosen_stages.h"

namespace stagedtrain::plan {
namespace {

using law::Assumption;
using law::Ladder;

std::optional<TokenTime> time_of(const RunPlan& base, const arch::ModelConfig& model,
                                 const Measurements& known) {
  StagePlan stage;
  stage.model = model;
  return token_time(base, stage, known);
}

// The cost of a token in the unit. Measured and assumed seconds are not mixed: small models use a
// machine worse than assumed, so a mixture would make them look cheap.
std::optional<double> price(const Problem& problem, const Candidate& size, bool measured) {
  if (problem.options.unit == CostUnit::flops) return size.flops_per_token;
  const auto time = time_of(problem.base, size.model, problem.options.known);
  if (!time || time->measured != measured) return std::nullopt;
  if (problem.options.unit == CostUnit::seconds) return time->seconds;
  return time->seconds / 3600 * problem.base.schedule.machine.price_per_hour;
}

bool check_unit(const RunPlan& base, const OptimizeOptions& options) {
  if (options.unit == CostUnit::flops) return false;
  const auto time = time_of(base, base.final_model, options.known);
  if (!time)
    throw usage_error("cost in seconds or money: the seconds of a token of {} are not known",
                      size_name(base.final_model))
        .with_hint("stagedtrain plan --measure SCHEDULE times it, or --set machine.flops=312T");
  if (options.unit == CostUnit::money && base.schedule.machine.price_per_hour == 0)
    throw usage_error("cost in money: machine.price_per_hour is 0, expected a price")
        .with_hint("--set machine.price_per_hour=2.5");
  return time->measured;
}

bool fits_memory(const RunPlan& base, const Candidate& size) {
  const double most = base.schedule.machine.memory;
  return most == 0 || training_memory(base.schedule, size.model, size.params.total).total() <= most;
}

// Half of a re-warm-up of the last grown stage, or of the run's.
double lost_in_rewarm(const RunPlan& base, double step_tokens) {
  const auto& s = base.schedule;
  Duration rewarm = s.lr.rewarm;
  const auto& own = s.stages.back().lr;
  if (own && own->rewarm) rewarm = *own->rewarm;
  return static_cast<double>(steps_along(base, rewarm)) / 2 * step_tokens;
}

void add_sizes(Problem& problem, bool measured) {
  std::size_t unknown = 0, too_large = 0;
  for (const Candidate& size : candidates(problem.base.final_model, problem.options.law)) {
    const bool is_last = size.model == problem.base.final_model;
    const auto curve = problem.options.law.curve(size.parameters);
    const auto cost = price(problem, size, measured);
    if (!is_last && !fits_memory(problem.base, size)) {
      ++too_large;
    } else if (!curve && is_last) {
      throw usage_error("{} has no curve of the final model {} ({} parameters)",
                        problem.options.law.name, size_name(size.model), grouped(size.params.total))
          .with_hint("train a short run of it from scratch, and stagedtrain plan --fit both");
    } else if (!curve || !cost) {
      ++unknown;
    } else {
      problem.sizes.push_back(size);
      problem.family.push_back({size_name(size.model), *cost, curve});
    }
  }
  if (unknown)
    problem.notes.push_back(fmt::format(
        "{} sizes were left out: the law has no curve of them, or their time is not measured",
        unknown));
  if (too_large)
    problem.notes.push_back(
        fmt::format("{} sizes were left out: they need more than machine.memory", too_large));
}

// A law far outside of what it was fitted to can be plain nonsense.
void check_end(const Problem& problem, double end_loss, double tokens) {
  const auto vocab = problem.base.final_model.vocab;
  const double knows_nothing = std::log(static_cast<double>(vocab));
  if (end_loss < knows_nothing) return;
  throw usage_error(
      "the law {} sees {} come to a loss of {:.2f} after {} tokens, expected less than {:.2f}, "
      "that of a guess among {} ids",
      problem.options.law.name, problem.final_size().name, end_loss, short_count(tokens),
      knows_nothing, grouped(vocab))
      .with_hint(
          "published laws are of larger models and of word pieces, not bytes; fit your own runs");
}

law::RunLength run_of(const Problem& problem, double tokens) {
  return {.tokens = tokens,
          .decay = problem.decay_share * tokens,
          .mixing = problem.options.transfer.mixing_tokens};
}

// Every growth comes before the rate comes down.
law::Ladders loss_state_ladders(const Problem& problem, const law::RunLength& run,
                                double token_price) {
  const double before_decay = problem.final_size().curve->loss(run.tokens - run.decay);
  law::LadderRules rules;
  rules.connected = [&](std::size_t a, std::size_t b) {
    return connected(problem.sizes[a].model, problem.sizes[b].model);
  };
  rules.lost_tokens = problem.lost_tokens;
  rules.shortest_stage = problem.options.shortest_stage;
  rules.token_price = token_price;
  return law::Ladders(problem.family, before_decay, std::move(rules));
}

// One growth from a size straight into the final one.
Ladder one_jump(const Problem& problem, std::size_t from, const law::Growth& growth,
                const law::RunLength& run) {
  const std::size_t last = problem.family.size() - 1;
  const double credit = growth.credit - problem.lost_tokens;
  const double shortest = problem.options.shortest_stage;
  if (credit <= 0 || growth.small_tokens < shortest || run.tokens - growth.resume_tokens < shortest)
    return {{last}, {}, 0, 0};
  return {{from, last}, {growth}, credit, credit / run.tokens};
}

Ladder mixing_jump(const Problem& problem, std::size_t from, const law::RunLength& run) {
  return one_jump(problem, from,
                  law::mixing_growth(problem.family[from], problem.final_size(), run), run);
}

// A constant rho lets the growth wait until the resume point is the last moment before the decay.
// Sizes are chosen under loss-state: rho was measured for one pair and says nothing of others.
Ladder measured_ladder(const Problem& problem, const law::Ladders& ladders,
                       const law::RunLength& run) {
  const Ladder chosen = ladders.best(2);
  if (chosen.growths.empty()) return chosen;
  const std::size_t from = chosen.sizes[0];
  const double rho = problem.options.transfer.rho;
  return one_jump(problem, from,
                  law::measured_growth(problem.family[from], problem.final_size(),
                                       rho * run.last_growth(), rho),
                  run);
}

// With a price for every token small sizes lose their advantage, until the ladder's tokens fit.
Ladder within_tokens(const Problem& problem, const law::RunLength& run) {
  const double most = problem.options.most_tokens;
  const auto stages = static_cast<std::size_t>(problem.options.most_stages);
  if (run.tokens > most)
    throw usage_error("{} tokens from scratch come to this loss, expected at most {} in all",
                      short_count(run.tokens), short_count(most))
        .with_hint("accept a higher loss, or read the data more than once");
  double low = std::log(1e-3), high = std::log(1e3);  // of prices, in costs of the final model
  Ladder best{{problem.family.size() - 1}, {}, 0, 0};
  for (int i = 0; i < 16; ++i) {
    const double middle = (low + high) / 2;
    const double token_price = std::exp(middle) * problem.final_size().cost;
    const Ladder ladder = loss_state_ladders(problem, run, token_price).best(stages);
    const bool fits = tokens_of(problem, ladder, run.tokens) <= most;
    if (fits) best = ladder;
    (fits ? high : low) = middle;
  }
  return best;
}

double saved(const Problem& problem, const Ladder& ladder, double end_tokens) {
  return 1 - cost_of(problem, ladder, end_tokens) / (end_tokens * problem.final_size().cost);
}

// The smallest size of the plan, or the cheapest that is worth a jump if there was none.
double ceiling_of(const Problem& problem, const Ladder& ladder, const law::RunLength& run) {
  const std::size_t from = ladder.growths.empty() ? 0 : ladder.sizes[0];
  if (from + 1 == problem.family.size() || run.decay + run.mixing >= run.tokens) return 0;
  return mixing_jump(problem, from, run).saving;
}

Solution solve_for(const Problem& problem, double tokens) {
  const OptimizeOptions& options = problem.options;
  Solution solution;
  solution.run = run_of(problem, tokens);
  solution.end_loss = problem.final_size().curve->loss(tokens);
  check_end(problem, solution.end_loss, tokens);
  const law::Ladders ladders = loss_state_ladders(problem, solution.run, 0);
  Ladder& ladder = solution.ladder;
  ladder = ladders.best(static_cast<std::size_t>(options.most_stages));
  if (options.most_tokens > 0 && tokens_of(problem, ladder, tokens) > options.most_tokens)
    ladder = within_tokens(problem, solution.run);
  solution.floor = saved(problem, ladder, tokens);
  solution.all_sizes = saved(problem, ladders.best(problem.family.size()), tokens);
  // Under mixing the smallest size saves most, as nothing of it is missed later.
  if (options.transfer.assumption == Assumption::mixing && problem.family.size() > 1)
    ladder = mixing_jump(problem, 0, solution.run);
  if (options.transfer.assumption == Assumption::measured)
    ladder = measured_ladder(problem, ladders, solution.run);
  solution.ceiling = ceiling_of(problem, ladder, solution.run);
  return solution;
}

// What a ladder saves hardly depends on the end, so cost is nearly a line in tokens: secants.
Solution solve_for_cost(const Problem& problem, double wanted) {
  const auto missing = [&](const Solution& s) {
    return cost_of(problem, s.ladder, s.run.tokens) - wanted;
  };
  double tokens = wanted / problem.final_size().cost, before = 0, before_missing = -wanted;
  Solution solution = solve_for(problem, tokens);
  for (int i = 0; i < 30 && std::abs(missing(solution)) > 1e-9 * wanted; ++i) {
    const double now = missing(solution);
    const double next = tokens - now * (tokens - before) / (now - before_missing);
    if (!(next > 0) || !std::isfinite(next)) break;
    before = tokens;
    before_missing = now;
    tokens = next;
    solution = solve_for(problem, tokens);
  }
  return solution;
}

double tokens_to(const Problem& problem, double loss) {
  const double tokens = problem.final_size().curve->tokens(loss);
  if (std::isfinite(tokens) && tokens >= problem.step_tokens) return tokens;
  throw usage_error(
      "a loss of {}: {} never falls below {:.4f} and {}", loss, problem.final_size().name,
      problem.final_size().curve->floor(),
      tokens < problem.step_tokens ? "has less before its first step" : "so never comes to it");
}

}  // namespace

double tokens_of(const Problem& problem, const Ladder& ladder, double end_tokens) {
  double tokens = end_tokens;
  for (const law::Growth& growth : ladder.growths)
    tokens += growth.small_tokens - growth.resume_tokens + problem.lost_tokens;
  return tokens;
}

double cost_of(const Problem& problem, const Ladder& ladder, double end_tokens) {
  double cost = 0;
  for (std::size_t i = 0; i < ladder.sizes.size(); ++i) {
    const bool is_last = i == ladder.growths.size();
    const double until = is_last ? end_tokens : ladder.growths[i].small_tokens;
    const double from = i ? ladder.growths[i - 1].resume_tokens - problem.lost_tokens : 0;
    cost += problem.family[ladder.sizes[i]].cost * (until - from);
  }
  return cost;
}

Problem make_problem(const RunPlan& base, const OptimizeOptions& options) {
  const schedule::Schedule& s = base.schedule;
  Problem problem{options, base, {}, {}, 0, 0, 0, {}};
  problem.step_tokens = static_cast<double>(s.batch.sequences * base.final_model.context);
  problem.decay_share =
      static_cast<double>(base.decay_steps) / static_cast<double>(base.total_steps);
  problem.lost_tokens = lost_in_rewarm(base, problem.step_tokens);
  add_sizes(problem, check_unit(base, options));
  return problem;
}

Solution solve(const Problem& problem) {
  const Goal& goal = problem.options.goal;
  if (goal.kind == Goal::Kind::loss) return solve_for(problem, tokens_to(problem, goal.amount));
  if (goal.kind == Goal::Kind::cost) return solve_for_cost(problem, goal.amount);
  return solve_for(problem,
                   goal.amount > 0 ? goal.amount : static_cast<double>(problem.base.tokens));
}

}  // namespace stagedtrain::plan
