// Which growth path reaches a loss at the least cost, within limits of tokens and time?
//
// The path depends on the assumption. Under loss-state it is the longest path of
// scaling/growth_path.h; under mixing the best single growth, at the latest time; with a measured
// rho the pair that is best under loss-state, grown at the latest time. If the goal is a cost, the
// end that costs this much is searched for.
//
// A longer staged run has a longer decay, so what a growth saves in the middle of the run can be
// lost at its end, and the best path of many stages can be worse than one of fewer stages. So the
// search is made for each number of stages up to the most that are allowed, and the best result
// wins: allowing more stages never makes a plan worse (tests/optimize/optimize_stages_test.cc). For
// the same reason it is made with all contexts, and without the shortest ones.
//
// Invariant: the result keeps all limits, and no growth comes after the decay begins.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/signals.h"
#include "optimize/optimize_limits.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using scaling::GrowthPath;

void check_end(const Problem& problem, double end_loss) {
  const arch::ModelConfig& model = problem.base.final_model;
  if (end_loss >= guess_loss(model))
    throw usage_error("{}", not_covered(problem.options.law, model, end_loss))
        .with_hint(kFitOwnRuns);
}

// Returns the scratch run of `tokens` tokens, with the decay of the staged run. own_tokens is the
// step_length_of() the staged run, of which a decay in % is a share.
scaling::RunLength run_of(const Problem& problem, double tokens, double own_tokens,
                          std::size_t stages) {
  return {.tokens = tokens,
          .decay = std::min(tail_tokens(problem, own_tokens, stages), tokens),
          .mixing = problem.options.transfer.mixing_tokens};
}

GrowthPath mixing_jump(const Problem& problem, std::size_t from, const scaling::RunLength& run) {
  return one_jump(problem, from,
                  scaling::mixing_growth(problem.family[from], problem.final_size(), run), run);
}

// Returns the cheapest plan under mixing within the limits: one growth, or the final size alone.
GrowthPath best_jump(const Problem& problem, const scaling::RunLength& run, const Limits& limits) {
  std::vector<GrowthPath> found = {one_jump(problem, 0, {}, run)};
  if (limits.stages > 1)
    for (std::size_t from = 0; from + 1 < problem.family.size(); ++from)
      found.push_back(mixing_jump(problem, from, run));
  return cheapest_of(problem, found, run, limits).value_or(found.back());
}

// With a constant rho the growth is best at the latest time: when the larger size resumes at
// run.last_growth(). The sizes are chosen under loss-state, because a measured rho belongs to one
// pair and cannot compare pairs.
GrowthPath measured_growth_path(const Problem& problem, const scaling::GrowthPaths& growth_paths,
                                const scaling::RunLength& run, const Limits& limits) {
  const GrowthPath chosen = growth_paths.best(std::min<std::size_t>(2, limits.stages));
  if (chosen.growths.empty()) return chosen;
  const std::size_t from = chosen.sizes[0];
  const double rho = problem.options.transfer.rho;
  return one_jump(problem, from,
                  scaling::measured_growth(problem.family[from], problem.final_size(),
                                           rho * run.last_growth(), rho),
                  run);
}

double saved(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  return 1 - cost_of(problem, growth_path, end_tokens) / (end_tokens * problem.final_size().cost);
}

// Returns the saving of this plan under mixing, where it would end like as many tokens from
// scratch.
double ceiling_of(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  const double lost = problem.lost_tokens * static_cast<double>(growth_path.growths.size());
  const double seen = tokens_of(problem, growth_path, end_tokens) - lost;
  return 1 - cost_of(problem, growth_path, end_tokens) / (seen * problem.final_size().cost);
}

// Returns the cheapest path. It may break the limits if no path keeps them.
GrowthPath cheapest(const Problem& problem, const scaling::RunLength& run,
                    const scaling::GrowthPaths& growth_paths, const Limits& limits) {
  const Assumption assumption = problem.options.transfer.assumption;
  if (assumption == Assumption::mixing) return best_jump(problem, run, limits);
  if (assumption == Assumption::measured)
    return measured_growth_path(problem, growth_paths, run, limits);
  return limited(problem, run, limits, growth_paths.best(limits.stages));
}

// Whether the last growth leaves the tail_tokens() of the run to the final size. A run without a
// growth always does.
bool leaves_tail(const Problem& problem, const GrowthPath& growth_path, double end_tokens,
                 std::size_t stages) {
  if (growth_path.growths.empty()) return true;
  const double last = end_tokens - growth_path.growths.back().resume_tokens + problem.lost_tokens;
  return last >= tail_tokens(problem, step_length_of(problem, growth_path, end_tokens), stages) *
                     (1 - 1e-9);
}

// The cheapest path at an assumed length of the staged run, with the growth paths that it is from.
struct Found {
  scaling::RunLength run;
  scaling::GrowthPaths growth_paths;
  GrowthPath growth_path;
};

// Finds the path together with the length of the staged run, of which the decay may be a share. A
// longer run has a longer decay, so its last growth comes earlier, which makes the run shorter
// again. First a length is found that is at least that of its path, then the least such length, by
// halving. If no length fits in kRounds rounds, the plan is the final size alone.
Found solve_length(const Problem& problem, double tokens, const Limits& limits) {
  constexpr int kRounds = 12, kHalvings = 8;
  const auto found_at = [&](double own) {
    stop_point("planning");
    const scaling::RunLength run = run_of(problem, tokens, own, limits.stages);
    scaling::GrowthPaths growth_paths = loss_state_growth_paths(problem, run);
    GrowthPath growth_path = cheapest(problem, run, growth_paths, limits);
    return Found{run, std::move(growth_paths), std::move(growth_path)};
  };
  const auto fits = [&](const Found& found) {
    return leaves_tail(problem, found.growth_path, tokens, limits.stages);
  };
  double too_short = 0, own = tokens;
  Found best = found_at(own);
  for (int round = 0; !fits(best); ++round) {
    if (round == kRounds) {
      best.growth_path = one_jump(problem, 0, {}, best.run);
      return best;
    }
    too_short = own;
    own = std::max(step_length_of(problem, best.growth_path, tokens), own * 1.001);
    best = found_at(own);
  }
  for (int i = 0; i < kHalvings && too_short > 0 && own > 1.001 * too_short; ++i) {
    const double middle = (too_short + own) / 2;
    Found found = found_at(middle);
    (fits(found) ? own : too_short) = middle;
    if (fits(found) &&
        cost_of(problem, found.growth_path, tokens) <= cost_of(problem, best.growth_path, tokens))
      best = std::move(found);
  }
  return best;
}

// Returns what solve() returns, or nothing if no plan can have what is asked of it; then `why` has
// the reason.
template <class F>
std::optional<Solution> if_possible(F solve, std::optional<Error>* why = nullptr) {
  try {
    return solve();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    if (why) *why = error;
    return {};
  }
}

Solution solve_for(const Problem& problem, double tokens, const Limits& limits) {
  whole_steps(tokens / problem.step_tokens);  // throws if no run can have so many steps
  Solution solution;
  solution.end_loss = problem.final_size().curve->loss(tokens);
  check_end(problem, solution.end_loss);
  Found found = solve_length(problem, tokens, limits);
  limits.check(problem, found.growth_path, tokens);
  const bool planned = problem.options.transfer.assumption == Assumption::loss_state;
  solution.run = found.run;
  solution.floor =
      saved(problem, planned ? found.growth_path : found.growth_paths.best(limits.stages), tokens);
  solution.ceiling = ceiling_of(problem, found.growth_path, tokens);
  solution.growth_path = std::move(found.growth_path);
  return solution;
}

// Finds the longest run whose path costs at most `wanted`. What a path saves hardly depends on the
// end, so the cost is nearly linear in the tokens, and a few secants suffice. Where the cost jumps,
// because the path changes, the interval is halved instead. A length that breaks the limits is too
// long.
Solution solve_for_cost(const Problem& problem, double wanted, const Limits& limits) {
  constexpr int kRounds = 40, kSecants = 3;
  const auto left_by = [&](const Solution& s) {
    return wanted - cost_of(problem, s.growth_path, s.run.tokens);
  };
  // From scratch this many tokens cost what is wanted, and no plan costs more.
  double low = wanted / problem.final_size().cost, high = HUGE_VAL, over = 0;
  constexpr double kMostSteps = 1e9;
  const double steps = low / problem.step_tokens;
  if (!(steps >= 1 && steps <= kMostSteps))
    throw usage_error("--cost buys {:.3g} steps of {} from scratch, expected at {}", steps,
                      problem.final_size().name, steps < 1 ? "least 1" : "most 1e+09")
        .with_hint(steps < 1 ? "allow more" : "allow less");
  Solution best = solve_for(problem, low, limits);
  for (int i = 0; i < kRounds && left_by(best) > 1e-9 * wanted; ++i) {
    const double left = left_by(best);
    double next = low * wanted / (wanted - left);
    if (std::isfinite(high)) {
      const bool secant = over < 0 && i % (kSecants + 1) < kSecants;
      next = low + (high - low) * (secant ? left / (left - over) : 0.5);
    }
    if (!(next > low && next < high)) break;
    std::optional<Solution> solution =
        if_possible([&] { return solve_for(problem, next, limits); });
    const double now = solution ? left_by(*solution) : 0;
    if (solution && now >= -1e-12 * wanted) {
      low = next;
      best = std::move(*solution);
    } else {
      high = next;
      over = now;
    }
  }
  return best;
}

// Returns the most tokens from scratch whose loss a plan can reach in this time.
double most_tokens_in(Problem problem, double seconds, const Limits& limits) {
  for (std::size_t i = 0; i < problem.family.size(); ++i)
    problem.family[i].cost = problem.costs[i] = problem.seconds[i];
  return solve_for_cost(problem, seconds, limits).run.tokens;
}

// Finds the lowest loss that keeps both a cost and a time. It is the higher one of the losses that
// each of them allows; if the plan to it that keeps the time costs too much, a still higher one.
Solution solve_for_both(const Problem& problem, double wanted, const Limits& limits) {
  const Limits no_clock{limits.stages, limits.most_tokens, 0};
  const Solution free = solve_for_cost(problem, wanted, no_clock);
  if (!limits.too_long(problem, free.growth_path, free.run.tokens)) return free;
  const auto costs = [&](const Solution& s) {
    return cost_of(problem, s.growth_path, s.run.tokens);
  };
  double high = std::min(free.run.tokens, most_tokens_in(problem, limits.most_seconds, no_clock));
  Solution solution = solve_for(problem, high, limits);
  double low = high / 2;
  for (int i = 0; i < 24 && costs(solution) > wanted * (1 + 1e-6); ++i) {
    const double middle = (low + high) / 2;
    const Solution one = solve_for(problem, middle, limits);
    (costs(one) > wanted ? high : low) = middle;
    if (costs(one) <= wanted || i == 0) solution = one;
  }
  return solution;
}

double tokens_to(const Problem& problem, double loss) {
  const double tokens = problem.final_size().curve->tokens(loss);
  if (std::isfinite(tokens) && tokens >= problem.step_tokens) return tokens;
  if (tokens < problem.step_tokens)
    throw usage_error("{} comes below a loss of {} in its first step", problem.final_size().name,
                      loss)
        .with_hint("give a lower loss");
  throw usage_error("{} cannot reach a loss of {}: its asymptote is {:.4f}",
                    problem.final_size().name, loss, problem.final_size().curve->floor());
}

Solution solve_within(const Problem& problem, const Limits& limits) {
  const Goal& goal = problem.options.goal;
  if (goal.kind == Goal::Kind::loss)
    return solve_for(problem, tokens_to(problem, goal.amount), limits);
  if (goal.kind == Goal::Kind::cost)
    return limits.most_seconds > 0 ? solve_for_both(problem, goal.amount, limits)
                                   : solve_for_cost(problem, goal.amount, limits);
  return solve_for(
      problem, goal.amount > 0 ? goal.amount : static_cast<double>(problem.base.tokens), limits);
}

// Whether a plan reaches a lower loss, or the same loss at a lower cost.
bool better(const Problem& problem, const Solution& a, const Solution& b) {
  if (a.run.tokens != b.run.tokens) return a.run.tokens > b.run.tokens;
  return cost_of(problem, a.growth_path, a.run.tokens) <
         cost_of(problem, b.growth_path, b.run.tokens);
}

// Only under loss-state does a plan have more than one growth.
std::size_t most_stages(const Problem& problem) {
  const std::size_t most =
      problem.options.transfer.assumption == Assumption::loss_state ? problem.family.size() : 2;
  return std::min(most, static_cast<std::size_t>(problem.options.most_stages));
}

// Returns the floor of a plan to the same loss that may have as many stages as there are sizes.
double saved_by_all_sizes(const Problem& problem, const Solution& best, double most_seconds) {
  if (problem.options.transfer.assumption != Assumption::loss_state)
    return saved(problem, loss_state_growth_paths(problem, best.run).best(problem.family.size()),
                 best.run.tokens);
  const auto found = if_possible([&] {
    return solve_for(problem, best.run.tokens,
                     {problem.family.size(), problem.options.most_tokens, most_seconds});
  });
  return found ? found->floor : 0;
}

// Takes out growths of a context below this one. A short context has more steps, hence a longer
// decay, which can cost more than it saves, like more stages.
void leave_out_contexts_below(std::int64_t context, Problem& problem) {
  std::erase_if(problem.pairs.pairs, [&](const scaling::FamilyPairs::Pair& pair) {
    return problem.sizes[pair.from].model.context < context;
  });
}

std::set<std::int64_t> contexts_of(const Problem& problem) {
  std::set<std::int64_t> contexts;
  for (const Candidate& size : problem.sizes) contexts.insert(size.model.context);
  return contexts;
}

}  // namespace

Solution solve(const Problem& problem, double most_seconds) {
  std::optional<Solution> best;
  std::optional<Error> refusal;
  Problem rest = problem;
  for (const std::int64_t context : contexts_of(problem)) {  // the shortest first
    leave_out_contexts_below(context, rest);
    for (std::size_t stages = 1; stages <= most_stages(problem); ++stages) {
      std::optional<Solution> one = if_possible(
          [&] {
            return solve_within(rest, {stages, problem.options.most_tokens, most_seconds});
          },
          &refusal);
      if (one && (!best || better(problem, *one, *best))) best = std::move(one);
    }
  }
  if (!best) throw *refusal;
  if (refusal && best->growth_path.sizes.size() == 1) best->why_not_grown = refusal->what();
  best->all_sizes = std::max(best->floor, saved_by_all_sizes(problem, *best, most_seconds));
  return *best;
}

}  // namespace stagedtrain::plan
