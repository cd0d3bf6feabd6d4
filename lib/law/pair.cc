// The optimum is looked for on a grid of tokens, then its slopes are made equal to the last bit.
#include "law/pair.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::law {
namespace {

constexpr int kGridPoints = 96;
constexpr double kGridFrom = 1e-12;  // of the longest time

double cost_ratio(const Size& small, const Size& large) { return small.cost / large.cost; }

Growth growth_at(const Size& small, const Size& large, double loss, double small_tokens) {
  Growth growth;
  growth.loss = loss;
  growth.small_tokens = small_tokens;
  growth.resume_tokens = large.curve->tokens(loss);
  growth.credit = growth.resume_tokens - cost_ratio(small, large) * small_tokens;
  growth.earliest = growth.latest = small_tokens;
  return growth;
}

// What the smaller size pays for the next bit of loss less what the larger one does.
double overpaid(const Size& small, const Size& large, double loss) {
  return large.cost * large.curve->tokens_slope(loss) -
         small.cost * small.curve->tokens_slope(loss);
}

// The loss between low and high where f changes its sign, to the last bit.
template <class F>
double root(double low, double high, F f) {
  const bool rises = f(low) < f(high);
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    ((f(middle) < 0) == rises ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// Where the credit of growing after `outside` tokens (too few or too many) comes up to `wanted`.
double plateau_end(const Size& small, const Size& large, double inside, double outside,
                   double wanted) {
  if (growth_after(small, large, outside).credit >= wanted) return outside;
  for (int i = 0; i < 60 && std::abs(inside - outside) > 1e-12 * inside; ++i) {
    const double middle = inside + (outside - inside) / 2;
    (growth_after(small, large, middle).credit >= wanted ? inside : outside) = middle;
  }
  return inside;
}

// Times at which the smaller size can stop: from where its loss is known to where it has reached
// the end of the run or has cost as much as the whole run from scratch.
std::vector<double> times(const Size& small, const Size& large, double end_loss) {
  const double whole_run = large.curve->tokens(end_loss) / cost_ratio(small, large);
  const double first = small.curve->tokens(kInfinity);
  const double last = std::min(small.curve->tokens(end_loss), whole_run);
  std::vector<double> found = {first};
  for (int i = 0; i <= kGridPoints && last > first; ++i)
    found.push_back(first + (last - first) * std::pow(kGridFrom, 1 - i / double{kGridPoints}));
  return found;
}

void check_costs(const Size& small, const Size& large) {
  ST_CHECK(small.cost > 0 && large.cost > 0 && small.curve && large.curve, "{} to {} without cost",
           small.name, large.name);
}

}  // namespace

Growth growth_after(const Size& small, const Size& large, double small_tokens) {
  return growth_at(small, large, small.curve->loss(small_tokens), small_tokens);
}

Growth best_growth(const Size& small, const Size& large, double end_loss) {
  check_costs(small, large);
  const std::vector<double> grid = times(small, large, end_loss);
  std::vector<Growth> tried;
  for (double tokens : grid) tried.push_back(growth_after(small, large, tokens));
  tried.front().credit = std::max(0.0, tried.front().credit);
  const auto better = [](const Growth& a, const Growth& b) { return a.credit < b.credit; };
  const auto at = static_cast<std::size_t>(std::max_element(tried.begin(), tried.end(), better) -
                                           tried.begin());
  Growth best = tried[at];
  if (at > 0 && at + 1 < tried.size() && std::isfinite(tried[at - 1].loss)) {
    const auto f = [&](double loss) { return overpaid(small, large, loss); };
    const double loss = root(tried[at + 1].loss, tried[at - 1].loss, f);
    const Growth exact = growth_at(small, large, loss, small.curve->tokens(loss));
    if (exact.credit >= best.credit) best = exact;
  }
  if (!best.pays()) return best;
  const double wanted = kPlateau * best.credit;
  best.earliest = plateau_end(small, large, best.small_tokens, grid.front(), wanted);
  best.latest = plateau_end(small, large, best.small_tokens, grid.back(), wanted);
  return best;
}

// With r = c_a/c_b, kappa = r^(b/(1+b)) and Delta = E_a - E_b the equal slopes read
// L - E_b = Delta / (1 - kappa).
Growth best_growth(const SharedExponent& pair) {
  const double r = pair.cost_ratio, b = pair.exponent;
  const double kappa = std::pow(r, b / (1 + b)), delta = pair.small_floor - pair.large_floor;
  Growth growth;
  growth.loss = pair.large_floor + delta / (1 - kappa);
  growth.resume_tokens = std::pow(pair.scale / (growth.loss - pair.large_floor), 1 / b);
  growth.small_tokens = growth.resume_tokens * std::pow(r, -1 / (1 + b));
  growth.credit = std::pow(pair.scale / delta, 1 / b) * std::pow(1 - kappa, 1 + 1 / b);
  growth.earliest = growth.latest = growth.small_tokens;
  return growth;
}

double RunLength::last_growth() const {
  const double last = tokens - decay - mixing - margin;
  if (!(last > 0))
    throw usage_error(
        "growth under mixing: {} tokens less {} of decay, {} of mixing and {} of "
        "margin, expected something left",
        short_count(tokens), short_count(decay), short_count(mixing), short_count(margin))
        .with_hint("train longer, or give a shorter mixing time if one was measured");
  return last;
}

Growth mixing_growth(const Size& small, const Size& large, const RunLength& run) {
  Growth growth = measured_growth(small, large, run.last_growth(), 1);
  growth.assumption = Assumption::mixing;
  return growth;
}

Growth measured_growth(const Size& small, const Size& large, double small_tokens, double rho) {
  check_costs(small, large);
  if (!(rho > 0)) throw usage_error("rho is {}, expected more than 0", rho);
  Growth growth;
  growth.assumption = Assumption::measured;
  growth.loss = small.curve->loss(small_tokens);
  growth.small_tokens = growth.latest = small_tokens;
  growth.earliest = kPlateau * small_tokens;  // the credit is a line through 0
  growth.resume_tokens = small_tokens / rho;
  growth.credit = small_tokens * (1 / rho - cost_ratio(small, large));
  return growth;
}

}  // namespace stagedtrain::law
