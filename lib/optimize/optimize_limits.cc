// Which of the paths that keep the limits is the cheapest?
//
// A path that breaks a limit is searched for again with a price on each token or second, which
// rises until the limit is kept (a Lagrange multiplier). Paths change in jumps as the price rises
// and can pass over plans just at the limit. So a single growth from each size into the final one
// is tried there too, and the cheapest plan wins. It is within 1% of an exhaustive search
// (tests/optimize/optimize_limits_test.cc), which was rejected because it is limited to two stages.
#include "optimize/optimize_limits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "text/text.h"

namespace stagedtrain::plan {

using scaling::GrowthPath;

scaling::GrowthPaths loss_state_growth_paths(const Problem& problem, const scaling::RunLength& run,
                                             std::vector<double> prices) {
  const double before_decay = problem.final_size().curve->loss(run.tokens - run.decay);
  return scaling::GrowthPaths(problem.family, problem.pairs, before_decay,
                              {.lost_tokens = problem.lost_tokens,
                               .shortest_stage = problem.options.shortest_stage,
                               .prices = std::move(prices)});
}

GrowthPath one_jump(const Problem& problem, std::size_t from, const scaling::GrowthPoint& growth,
                    const scaling::RunLength& run) {
  const std::size_t last = problem.family.size() - 1;
  if (!may_grow(problem.sizes[from], problem.sizes[last])) return {{last}, {}, 0, 0};
  const double saved = growth.tokens_saved - problem.lost_tokens;
  const double shortest = problem.options.shortest_stage;
  if (saved <= 0 || growth.small_tokens < shortest || run.tokens - growth.resume_tokens < shortest)
    return {{last}, {}, 0, 0};
  return {{from, last}, {growth}, saved, saved / run.tokens};
}

namespace {

bool more(double taken, double most) { return most > 0 && taken > most * (1 + 1e-6); }

double seconds_of(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  return sum_over(problem, growth_path, end_tokens, problem.seconds);
}

// Puts a price on what is limited (`weights` is its amount for a token of each size), and finds the
// lowest price at which the path keeps the limits.
GrowthPath within(const Problem& problem, const scaling::RunLength& run, const Limits& limits,
                  const std::vector<double>& weights) {
  const auto at_price = [&](double log_price) {
    const double price = std::exp(log_price) * problem.final_size().cost / weights.back();
    std::vector<double> prices = weights;
    for (double& each : prices) each *= price;
    return loss_state_growth_paths(problem, run, std::move(prices)).best(limits.stages);
  };
  double low = std::log(1e-3), high = std::log(1e6);
  GrowthPath best = at_price(high);
  for (int i = 0; i < 12; ++i) {
    const double middle = (low + high) / 2;
    const GrowthPath growth_path = at_price(middle);
    const bool fits = limits.keeps(problem, growth_path, run.tokens);
    if (fits) best = growth_path;
    (fits ? high : low) = middle;
  }
  return best;
}

// Inserts three losses between each pair of neighbours. If a re-warm-up uses up most of what a
// limit leaves, all losses that keep the limit may lie between two losses of the grid.
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
  LimitedJump(const Problem& problem, const scaling::RunLength& run, const Limits& limits)
      : problem_(problem),
        run_(run),
        limits_(limits),
        before_decay_(problem.final_size().curve->loss(run.tokens - run.decay)) {}

  std::optional<GrowthPath> best_from(std::size_t from) {
    best_.reset();
    const scaling::Size& small = problem_.family[from];
    const double lowest = std::max(before_decay_, small.curve->floor() * (1 + 1e-12));
    std::vector<double> losses;
    for (const double loss : problem_.pairs.grids[from].losses)
      if (std::isfinite(loss) && loss > lowest) losses.push_back(loss);
    if (std::isfinite(small.curve->tokens(lowest))) losses.push_back(lowest);
    losses.push_back(scaling::best_growth(small, problem_.final_size(), before_decay_).loss);
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
    const scaling::Size& small = problem_.family[from];
    return one_jump(problem_, from,
                    scaling::growth_after(small, problem_.final_size(), small.curve->tokens(loss)),
                    run_);
  }
  bool consider(std::size_t from, double loss) {
    const GrowthPath growth_path = growth_path_at(from, loss);
    if (growth_path.growths.empty() || !limits_.keeps(problem_, growth_path, run_.tokens))
      return false;
    if (!best_ ||
        cost_of(problem_, growth_path, run_.tokens) < cost_of(problem_, *best_, run_.tokens))
      best_ = growth_path;
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
  const scaling::RunLength& run_;
  const Limits& limits_;
  double before_decay_;
  bool fitted_before_ = false;
  std::optional<GrowthPath> best_;
};

}  // namespace

double tokens_of(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  return sum_over(problem, growth_path, end_tokens, std::vector(problem.family.size(), 1.0));
}

double step_length_of(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  std::vector<double> weights;
  for (const Candidate& size : problem.sizes)
    weights.push_back(problem.step_tokens / problem.step_tokens_of(size));
  return sum_over(problem, growth_path, end_tokens, weights);
}

double cost_of(const Problem& problem, const GrowthPath& growth_path, double end_tokens) {
  return sum_over(problem, growth_path, end_tokens, problem.costs);
}

bool Limits::too_many_tokens(const Problem& problem, const GrowthPath& growth_path,
                             double end) const {
  return more(tokens_of(problem, growth_path, end), most_tokens);
}

bool Limits::too_long(const Problem& problem, const GrowthPath& growth_path, double end) const {
  return most_seconds > 0 && more(seconds_of(problem, growth_path, end), most_seconds);
}

bool Limits::keeps(const Problem& problem, const GrowthPath& growth_path, double end) const {
  return growth_path.sizes.size() <= stages && !too_many_tokens(problem, growth_path, end) &&
         !too_long(problem, growth_path, end);
}

void Limits::check(const Problem& problem, const GrowthPath& growth_path, double end) const {
  if (too_many_tokens(problem, growth_path, end))
    throw usage_error(
        "no plan found for this loss keeps the limit of {} tokens: from scratch it takes {}, and "
        "this plan {}",
        short_count(most_tokens), short_count(end),
        short_count(tokens_of(problem, growth_path, end)))
        .with_hint("accept a higher loss, or read the data more than once");
  if (too_long(problem, growth_path, end))
    throw usage_error("the fastest plan to this loss trains for {}, expected at most {} in all",
                      short_seconds(seconds_of(problem, growth_path, end)),
                      short_seconds(problem.options.most_seconds))
        .with_hint(fmt::format(
            "--unit seconds --cost {:.0f}s finds the lowest loss that this time can reach",
            std::floor(problem.options.most_seconds)));
}

std::optional<GrowthPath> cheapest_of(const Problem& problem, const std::vector<GrowthPath>& found,
                                      const scaling::RunLength& run, const Limits& limits) {
  const GrowthPath* best = nullptr;
  for (const GrowthPath& growth_path : found)
    if (limits.keeps(problem, growth_path, run.tokens) &&
        (!best || cost_of(problem, growth_path, run.tokens) < cost_of(problem, *best, run.tokens)))
      best = &growth_path;
  return best ? std::optional(*best) : std::nullopt;
}

GrowthPath limited(const Problem& problem, const scaling::RunLength& run, const Limits& limits,
                   const GrowthPath& free) {
  if (limits.keeps(problem, free, run.tokens)) return free;
  GrowthPath priced = free;
  if (limits.too_many_tokens(problem, priced, run.tokens))
    priced = within(problem, run, limits, std::vector(problem.family.size(), 1.0));
  if (limits.too_long(problem, priced, run.tokens))
    priced = within(problem, run, limits, problem.seconds);
  std::vector<GrowthPath> found = {priced, one_jump(problem, 0, {}, run)};
  LimitedJump jump(problem, run, limits);
  for (const scaling::FamilyPairs::Pair& pair : problem.pairs.pairs)
    if (limits.stages > 1 && pair.to + 1 == problem.family.size())
      if (auto growth_path = jump.best_from(pair.from)) found.push_back(std::move(*growth_path));
  return cheapest_of(problem, found, run, limits).value_or(priced);
}

}  // namespace stagedtrain::plan
