// The optimum is looked for on a grid of tokens, then its slopes are made equal to the last bit.
#include "law/pair.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::law {
namespace {

// Losses are looked at from this far above the lowest one, in nats, up to where nothing is learnt.
constexpr double kLeastExcess = 1e-9, kMostExcess = 1e6;
constexpr int kGridPoints = 150;

double cost_ratio(const Size& small, const Size& large) { return small.cost / large.cost; }

Growth growth_at(const Size& small, const Size& large, double loss) {
  Growth growth;
  growth.loss = loss;
  growth.small_tokens = growth.earliest = growth.latest = small.curve->tokens(loss);
  growth.resume_tokens = large.curve->tokens(loss);
  growth.credit = growth.resume_tokens - cost_ratio(small, large) * growth.small_tokens;
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

// The tokens of the smaller size at which the credit, from `inside` on to `outside` (losses, either
// way), falls to `wanted`.
double plateau_end(const Size& small, const Size& large, double inside, double outside,
                   double wanted) {
  const auto missing = [&](double loss) { return wanted - growth_at(small, large, loss).credit; };
  if (missing(outside) <= 0) return small.curve->tokens(outside);
  return small.curve->tokens(root(std::min(inside, outside), std::max(inside, outside), missing));
}

// Losses at which the smaller size can stop, falling: from its start to the end of the run, or to
// just above what both can reach.
std::vector<double> losses_to_try(const Size& small, const Size& large, double end_loss) {
  const double floor = std::max(small.curve->floor(), large.curve->floor());
  const double low = std::max(floor, end_loss), start = small.curve->start();
  std::vector<double> losses = {start};
  for (int i = 0; i <= kGridPoints; ++i) {
    const double part = i / double{kGridPoints};
    const double loss = low + kMostExcess * std::pow(kLeastExcess / kMostExcess, part);
    if (loss < start) losses.push_back(loss);
  }
  if (end_loss > floor && end_loss < start) losses.push_back(end_loss);
  return losses;
}

void check_costs(const Size& small, const Size& large) {
  ST_CHECK(small.cost > 0 && large.cost > 0 && small.curve && large.curve, "{} to {} without cost",
           small.name, large.name);
}

}  // namespace

Growth growth_after(const Size& small, const Size& large, double small_tokens) {
  Growth growth = growth_at(small, large, small.curve->loss(small_tokens));
  growth.credit += cost_ratio(small, large) * (growth.small_tokens - small_tokens);
  growth.small_tokens = growth.earliest = growth.latest = small_tokens;
  return growth;
}

Growth best_growth(const Size& small, const Size& large, double end_loss) {
  check_costs(small, large);
  std::vector<Growth> tried;
  for (double loss : losses_to_try(small, large, end_loss))
    tried.push_back(growth_at(small, large, loss));
  tried.front().credit = std::max(0.0, tried.front().credit);
  const auto better = [](const Growth& a, const Growth& b) { return a.credit < b.credit; };
  const auto at = static_cast<std::size_t>(std::max_element(tried.begin(), tried.end(), better) -
                                           tried.begin());
  Growth best = tried[at];
  if (at > 1 && at + 1 < tried.size()) {
    const auto f = [&](double loss) { return overpaid(small, large, loss); };
    const Growth exact = growth_at(small, large, root(tried[at + 1].loss, tried[at - 1].loss, f));
    if (exact.credit >= best.credit) best = exact;
  }
  if (!best.pays() || at == 0) return best;
  const double wanted = kPlateau * best.credit;
  best.earliest = plateau_end(small, large, best.loss, tried[1].loss, wanted);
  best.latest = plateau_end(small, large, best.loss, tried.back().loss, wanted);
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
