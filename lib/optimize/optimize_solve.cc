// Which growth path is the cheapest one to a loss, within limits of tokens and time?
//
// The path depends on the assumption. Under loss-state it is the longest path of
// scaling/growth_path.h; under mixing the best single growth, at the latest time; with a measured
// rho the pair that is best under loss-state, grown at the latest time. A goal of cost is a search
// for the end that costs so much.
//
// A path that breaks a limit is searched for again with a price on each token or second, which
// rises until the limit is kept (a Lagrange multiplier). Paths change in jumps as the price rises
// and can pass over plans just at the limit. So one growth from each size into the final one is
// tried there too, and the cheapest plan wins. It is within 1% of an exhaustive search over two
// stages, which was rejected as it cannot do more (tests/optimize/optimize_limits_test.cc).
//
// Invariant: the result keeps all limits, and no growth comes after the decay begins.
#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "base/signals.h"
#include "optimize/optimize_problem.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using law::Assumption;
using law::GrowthPath;

// Limits of the whole run, where 0 means none. One part in a million more counts as rounding.
struct Limits {
  double most_tokens = 0, most_seconds = 0;

  static bool more(double taken, double most) { return most > 0 && taken > most * (1 + 1e-6); }
  bool too_many_tokens(const Problem& problem, const GrowthPath& path, double end) const {
    return more(tokens_of(problem, path, end), most_tokens);
  }
  bool too_long(const Problem& problem, const GrowthPath& path, double end) const {
    return most_seconds > 0 && more(seconds_of(problem, path, end), most_seconds);
  }
  bool keeps(const Problem& problem, const GrowthPath& path, double end) const {
    return !too_many_tokens(problem, path, end) && !too_long(problem, path, end);
  }
  // Throws Error(usage) for a path that does not keep the limits.
  void check(const Problem& problem, const GrowthPath& path, double end) const {
    if (too_many_tokens(problem, path, end))
      throw usage_error(
          "{} tokens from scratch reach this loss, and the plan needs {} in all, expected at most "
          "{} in all",
          short_count(end), short_count(tokens_of(problem, path, end)), short_count(most_tokens))
          .with_hint("accept a higher loss, or read the data more than once");
    if (too_long(problem, path, end))
      throw usage_error("the fastest plan to this loss trains for {}, expected at most {} in all",
                        short_seconds(seconds_of(problem, path, end)),
                        short_seconds(problem.options.most_seconds))
          .with_hint(fmt::format(
              "--unit seconds --cost {:.0f}s finds the lowest loss that this time can reach",
              std::floor(problem.options.most_seconds)));
  }
  static double tokens_of(const Problem& problem, const GrowthPath& path, double end) {
    return sum_over(problem, path, end, std::vector(problem.family.size(), 1.0));
  }
  static double seconds_of(const Problem& problem, const GrowthPath& path, double end) {
    return sum_over(problem, path, end, problem.seconds);
  }
};

void check_end(const Problem& problem, double end_loss) {
  const arch::ModelConfig& model = problem.base.final_model;
  if (end_loss >= guess_loss(model))
    throw usage_error("{}", not_covered(problem.options.law, model, end_loss))
        .with_hint(kFitOwnRuns);
}

// Returns the scratch run of `tokens` tokens, with the decay of the staged run. own_tokens is the
// length of the staged run, of which a decay in % is a share.
law::RunLength run_of(const Problem& problem, double tokens, double own_tokens) {
  return {.tokens = tokens,
          .decay = std::min(tail_tokens(problem, own_tokens), tokens),
          .mixing = problem.options.transfer.mixing_tokens};
}

// Finds all growths that save something and come before the learning rate decays.
law::GrowthPaths loss_state_growth_paths(const Problem& problem, const law::RunLength& run,
                                         std::vector<double> prices = {}) {
  const double before_decay = problem.final_size().curve->loss(run.tokens - run.decay);
  return law::GrowthPaths(problem.family, problem.pairs, before_decay,
                          {.lost_tokens = problem.lost_tokens,
                           .shortest_stage = problem.options.shortest_stage,
                           .prices = std::move(prices)});
}

// Returns the path of one growth from a size straight into the final one. If that growth is not
// possible or saves nothing, returns the final size alone.
GrowthPath one_jump(const Problem& problem, std::size_t from, const law::Growth& growth,
                    const law::RunLength& run) {
  const std::size_t last = problem.family.size() - 1;
  if (!may_grow(problem.sizes[from], problem.sizes[last])) return {{last}, {}, 0, 0};
  const double saved = growth.tokens_saved - problem.lost_tokens;
  const double shortest = problem.options.shortest_stage;
  if (saved <= 0 || growth.small_tokens < shortest || run.tokens - growth.resume_tokens < shortest)
    return {{last}, {}, 0, 0};
  return {{from, last}, {growth}, saved, saved / run.tokens};
}

GrowthPath mixing_jump(const Problem& problem, std::size_t from, const law::RunLength& run) {
  return one_jump(problem, from,
                  law::mixing_growth(problem.family[from], problem.final_size(), run), run);
}

// Returns the cheapest plan under mixing within the limits: one growth, or the final size alone.
GrowthPath best_jump(const Problem& problem, const law::RunLength& run, const Limits& limits) {
  const GrowthPath alone = one_jump(problem, 0, {}, run);
  std::optional<GrowthPath> best;
  const auto cost = [&](const GrowthPath& l) {
    return sum_over(problem, l, run.tokens, problem.costs);
  };
  for (std::size_t from = 0; from < problem.family.size(); ++from) {
    const GrowthPath jump =
        from + 1 < problem.family.size() ? mixing_jump(problem, from, run) : alone;
    if (limits.keeps(problem, jump, run.tokens) && (!best || cost(jump) < cost(*best))) best = jump;
  }
  return best ? *best : mixing_jump(problem, 0, run);
}

// With a constant rho the growth is best at the latest time: when the larger size resumes at
// run.last_growth(). The sizes are chosen under loss-state, because a measured rho belongs to one
// pair and cannot compare pairs.
GrowthPath measured_growth_path(const Problem& problem, const law::GrowthPaths& growth_paths,
                                const law::RunLength& run) {
  const GrowthPath chosen = growth_paths.best(2);
  if (chosen.growths.empty()) return chosen;
  const std::size_t from = chosen.sizes[0];
  const double rho = problem.options.transfer.rho;
  return one_jump(problem, from,
                  law::measured_growth(problem.family[from], problem.final_size(),
                                       rho * run.last_growth(), rho),
                  run);
}

// Puts a price on what is limited (`weights` is its amount for a token of each size), and finds the
// lowest price at which the path keeps the limits.
GrowthPath within(const Problem& problem, const law::RunLength& run, const Limits& limits,
                  const std::vector<double>& weights) {
  const auto stages = static_cast<std::size_t>(problem.options.most_stages);
  const auto at_price = [&](double log_price) {
    const double price = std::exp(log_price) * problem.final_size().cost / weights.back();
    std::vector<double> prices = weights;
    for (double& each : prices) each *= price;
    return loss_state_growth_paths(problem, run, std::move(prices)).best(stages);
  };
  double low = std::log(1e-3), high = std::log(1e6);
  GrowthPath best = at_price(high);
  for (int i = 0; i < 12; ++i) {
    const double middle = (low + high) / 2;
    const GrowthPath path = at_price(middle);
    const bool fits = limits.keeps(problem, path, run.tokens);
    if (fits) best = path;
    (fits ? high : low) = middle;
  }
  return best;
}

double cost_of(const Problem& problem, const GrowthPath& path, double end_tokens) {
  return sum_over(problem, path, end_tokens, problem.costs);
}

// Inserts three losses between each two. If a re-warm-up uses up most of what a limit leaves, all
// losses that keep the limit may lie between two losses of the grid.
std::vector<double> with_places_between(const std::vector<double>& losses) {
  constexpr int kParts = 4;
  std::vector<double> all;
  for (std::size_t i = 0; i < losses.size(); ++i)
    for (int part = 0; part < (i + 1 < losses.size() ? kParts : 1); ++part)
      all.push_back(part == 0 ? losses[i]
                              : losses[i] + (losses[i + 1] - losses[i]) * part / kParts);
  return all;
}

// Finds, for one size, the cheapest plan with one growth straight into the final size that keeps
// the limits. The later the growth (the lower its loss), the more tokens the run needs. So if the
// best time needs too many, the best remaining time lies at the limit.
class LimitedJump {
 public:
  LimitedJump(const Problem& problem, const law::RunLength& run, const Limits& limits)
      : problem_(problem),
        run_(run),
        limits_(limits),
        before_decay_(problem.final_size().curve->loss(run.tokens - run.decay)) {}

  std::optional<GrowthPath> best_from(std::size_t from) {
    best_.reset();
    const law::Size& small = problem_.family[from];
    const double lowest = std::max(before_decay_, small.curve->floor() * (1 + 1e-12));
    std::vector<double> losses;
    for (const double loss : problem_.pairs.grids[from].losses)
      if (std::isfinite(loss) && loss > lowest) losses.push_back(loss);
    if (std::isfinite(small.curve->tokens(lowest))) losses.push_back(lowest);
    losses.push_back(law::best_growth(small, problem_.final_size(), before_decay_).loss);
    std::ranges::sort(losses, std::greater());
    losses = with_places_between(losses);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const bool fits = consider(from, losses[i]);
      if (i > 0 && fits != fitted_before_) search_limit(from, losses[i - 1], losses[i]);
      fitted_before_ = fits;
    }
    return best_;
  }

 private:
  GrowthPath growth_path_at(std::size_t from, double loss) const {
    const law::Size& small = problem_.family[from];
    return one_jump(problem_, from,
                    law::growth_after(small, problem_.final_size(), small.curve->tokens(loss)),
                    run_);
  }
  bool consider(std::size_t from, double loss) {
    const GrowthPath path = growth_path_at(from, loss);
    if (path.growths.empty() || !limits_.keeps(problem_, path, run_.tokens)) return false;
    if (!best_ || cost_of(problem_, path, run_.tokens) < cost_of(problem_, *best_, run_.tokens))
      best_ = path;
    return true;
  }
  // Finds the limit between a loss that keeps it and one that does not, by halving.
  void search_limit(std::size_t from, double high, double low) {
    for (int i = 0; i < 40 && high > low; ++i) {
      const double middle = (low + high) / 2;
      (consider(from, middle) == fitted_before_ ? high : low) = middle;
    }
  }

  const Problem& problem_;
  const law::RunLength& run_;
  const Limits& limits_;
  double before_decay_;
  bool fitted_before_ = false;
  std::optional<GrowthPath> best_;
};

// Returns the cheapest plan within the limits: of the path that prices found, and of plans with one
// growth from every size into the final one.
GrowthPath limited(const Problem& problem, const law::RunLength& run, const Limits& limits,
                   const GrowthPath& priced) {
  std::vector<GrowthPath> found = {priced, one_jump(problem, 0, {}, run)};
  LimitedJump jump(problem, run, limits);
  for (const law::FamilyPairs::Pair& pair : problem.pairs.pairs)
    if (problem.options.most_stages > 1 && pair.to + 1 == problem.family.size())
      if (auto path = jump.best_from(pair.from)) found.push_back(std::move(*path));
  const GrowthPath* best = nullptr;
  for (const GrowthPath& path : found)
    if (limits.keeps(problem, path, run.tokens) &&
        (!best || cost_of(problem, path, run.tokens) < cost_of(problem, *best, run.tokens)))
      best = &path;
  return best ? *best : priced;
}

double saved(const Problem& problem, const GrowthPath& path, double end_tokens) {
  return 1 - cost_of(problem, path, end_tokens) / (end_tokens * problem.final_size().cost);
}

// Returns the saving of this plan under mixing, where it would end like as many tokens from
// scratch.
double ceiling_of(const Problem& problem, const GrowthPath& path, double end_tokens) {
  const double lost = problem.lost_tokens * static_cast<double>(path.growths.size());
  const double seen = Limits::tokens_of(problem, path, end_tokens) - lost;
  return 1 - cost_of(problem, path, end_tokens) / (seen * problem.final_size().cost);
}

// Returns the cheapest path. It may break the limits if no path keeps them.
GrowthPath cheapest(const Problem& problem, const law::RunLength& run,
                    const law::GrowthPaths& growth_paths, const Limits& limits) {
  const OptimizeOptions& options = problem.options;
  if (options.transfer.assumption == Assumption::mixing) return best_jump(problem, run, limits);
  if (options.transfer.assumption == Assumption::measured)
    return measured_growth_path(problem, growth_paths, run);
  GrowthPath path = growth_paths.best(static_cast<std::size_t>(options.most_stages));
  if (limits.keeps(problem, path, run.tokens)) return path;
  if (limits.too_many_tokens(problem, path, run.tokens))
    path = within(problem, run, limits, std::vector(problem.family.size(), 1.0));
  if (limits.too_long(problem, path, run.tokens))
    path = within(problem, run, limits, problem.seconds);
  return limited(problem, run, limits, path);
}

// Whether the last growth leaves the tail_tokens() of the run to the final size. A run without a
// growth always does.
bool leaves_tail(const Problem& problem, const GrowthPath& path, double end_tokens) {
  if (path.growths.empty()) return true;
  const double last = end_tokens - path.growths.back().resume_tokens + problem.lost_tokens;
  return last >= tail_tokens(problem, Limits::tokens_of(problem, path, end_tokens)) * (1 - 1e-9);
}

// Finds the path together with the length of the staged run, of which the decay may be a share. A
// longer run has a longer decay, so its last growth comes earlier, which makes the run shorter
// again. If no length fits in kRounds rounds, the plan is the final size alone.
law::GrowthPaths solve_length(const Problem& problem, double tokens, const Limits& limits,
                              Solution& solution) {
  constexpr int kRounds = 12;
  double own = tokens;
  for (int round = 0;; ++round) {
    stop_point("planning");
    solution.run = run_of(problem, tokens, own);
    law::GrowthPaths growth_paths = loss_state_growth_paths(problem, solution.run);
    solution.growth_path = cheapest(problem, solution.run, growth_paths, limits);
    if (leaves_tail(problem, solution.growth_path, tokens)) return growth_paths;
    if (round == kRounds) {
      solution.growth_path = one_jump(problem, 0, {}, solution.run);
      return growth_paths;
    }
    own = std::max(Limits::tokens_of(problem, solution.growth_path, tokens), own * 1.001);
  }
}

Solution solve_for(const Problem& problem, double tokens, const Limits& limits) {
  Solution solution;
  whole_steps(tokens / problem.step_tokens);  // throws if no run can have so many steps
  solution.end_loss = problem.final_size().curve->loss(tokens);
  check_end(problem, solution.end_loss);
  const law::GrowthPaths growth_paths = solve_length(problem, tokens, limits, solution);
  limits.check(problem, solution.growth_path, tokens);
  const auto stages = static_cast<std::size_t>(problem.options.most_stages);
  const bool planned = problem.options.transfer.assumption == Assumption::loss_state;
  solution.floor =
      saved(problem, planned ? solution.growth_path : growth_paths.best(stages), tokens);
  solution.all_sizes = saved(problem, growth_paths.best(problem.family.size()), tokens);
  solution.ceiling = ceiling_of(problem, solution.growth_path, tokens);
  return solution;
}

// Finds the end of the run at which the path costs `wanted`. The tokens that a path saves hardly
// depend on the end, so the cost is nearly linear in the tokens, and a few secants suffice.
Solution solve_for_cost(const Problem& problem, double wanted, const Limits& limits) {
  const auto missing = [&](const Solution& s) {
    return sum_over(problem, s.growth_path, s.run.tokens, problem.costs) - wanted;
  };
  double tokens = wanted / problem.final_size().cost, before = 0, before_missing = -wanted;
  Solution solution = solve_for(problem, tokens, limits);
  for (int i = 0; i < 30 && std::abs(missing(solution)) > 1e-9 * wanted; ++i) {
    const double now = missing(solution);
    const double next = tokens - now * (tokens - before) / (now - before_missing);
    if (!(next > 0) || !std::isfinite(next)) break;
    before = tokens;
    before_missing = now;
    tokens = next;
    solution = solve_for(problem, tokens, limits);
  }
  return solution;
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
  const Limits no_clock{limits.most_tokens, 0};
  const Solution free = solve_for_cost(problem, wanted, no_clock);
  if (!limits.too_long(problem, free.growth_path, free.run.tokens)) return free;
  const auto costs = [&](const Solution& s) {
    return sum_over(problem, s.growth_path, s.run.tokens, problem.costs);
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
  throw usage_error("a loss of {}: {} {}: its asymptote is {:.4f}", loss, problem.final_size().name,
                    tokens < problem.step_tokens ? "is below it after one step" : "cannot reach it",
                    problem.final_size().curve->floor());
}

}  // namespace

Solution solve(const Problem& problem, double most_seconds) {
  const Limits limits{problem.options.most_tokens, most_seconds};
  const Goal& goal = problem.options.goal;
  if (goal.kind == Goal::Kind::loss)
    return solve_for(problem, tokens_to(problem, goal.amount), limits);
  if (goal.kind == Goal::Kind::cost)
    return most_seconds > 0 ? solve_for_both(problem, goal.amount, limits)
                            : solve_for_cost(problem, goal.amount, limits);
  return solve_for(
      problem, goal.amount > 0 ? goal.amount : static_cast<double>(problem.base.tokens), limits);
}

}  // namespace stagedtrain::plan
