// When should one size be grown into the next, and how many tokens does that save?
//
// Under loss-state the larger size b continues at D_b(L) tokens of its own curve, after the smaller
// size a has trained to the loss L with D_a(L) tokens. In tokens of b this saves
//   saved(L) = D_b(L) - r D_a(L),   r = c_a / c_b, the ratio of the costs of a token.
// It is greatest where both sizes pay the same for the next bit of loss:
//   c_b dD_b/dL = c_a dD_a/dL.
// Source: docs/planning.md, "One question"; the condition is that of Staged Training (Shen et al.,
// arXiv 2203.06211) in linear units, for any two curves and costs.
//
// best_growth() evaluates the tokens saved on a grid of losses that does not depend on the end of
// the run, so paths of any end and price share it (growth_path.cc). If the slopes are equal between
// the neighbours of the best point, a root finder (TOMS 748) finds that loss to the last bits.
// Otherwise the best point is an end of the range: growing at once, or at end_loss. Curves of one
// shape have a closed form, which tests compare with the search
// (tests/scaling/random_laws_test.cc).
//
// Invariant: best_growth() saves at least 0 and at least that of every point of the grid
// above end_loss.
//
// Rejected: solving for equal slopes alone. Curves of different exponents can have equal slopes at
// several losses, and one may be a minimum. Also rejected: the paper's fixed thresholds for d ln L
// / d ln C, which hold for one law and one ratio of costs (rules.h keeps them as rules).
#include "scaling/pair.h"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::scaling {
namespace {

// The grid of losses extends from kLeastExcess to kMostExcess nats above the floor of the smaller
// size.
constexpr double kLeastExcess = 1e-9, kMostExcess = 1e6;
constexpr int kGridPoints = 75;

double cost_ratio(const Size& small, const Size& large) { return small.cost / large.cost; }

GrowthPoint growth_at(const Size& small, const Size& large, double loss) {
  GrowthPoint growth;
  growth.loss = loss;
  growth.small_tokens = growth.earliest = growth.latest = small.curve->tokens(loss);
  growth.resume_tokens = large.curve->tokens(loss);
  growth.tokens_saved = growth.resume_tokens - cost_ratio(small, large) * growth.small_tokens;
  return growth;
}

// Returns what the smaller size pays for the next bit of loss, minus what the larger one pays.
double overpaid(const Size& small, const Size& large, double loss) {
  return large.cost * large.curve->tokens_slope(loss) -
         small.cost * small.curve->tokens_slope(loss);
}

// Returns the root of f between low and high, to the last bits. Requires values of different sign
// at low and high.
template <class F>
double root(double low, double high, F f) {
  std::uintmax_t most = 200;
  const auto [below, above] = boost::math::tools::toms748_solve(
      f, low, high, boost::math::tools::eps_tolerance<double>(), most);
  return below + (above - below) / 2;
}

// Returns the tokens of the smaller size at which the tokens saved fall to `wanted` on the way from
// the loss `inside` to the loss `outside`, which may be higher or lower.
double plateau_end(const Size& small, const Size& large, double inside, double outside,
                   double wanted) {
  const auto missing = [&](double loss) {
    return wanted - growth_at(small, large, loss).tokens_saved;
  };
  if (missing(outside) <= 0) return small.curve->tokens(outside);
  return small.curve->tokens(root(std::min(inside, outside), std::max(inside, outside), missing));
}

// Returns the lowest loss for a growth: end_loss, or just above the floors of both sizes.
double lowest(const Size& small, const Size& large, double end_loss) {
  return std::max(end_loss, std::max(small.curve->floor(), large.curve->floor()) + kLeastExcess);
}

void check_costs(const Size& small, const Size& large) {
  ST_CHECK(small.cost > 0 && large.cost > 0 && small.curve && large.curve,
           "{} to {}: a cost or a curve is missing", small.name, large.name);
}

}  // namespace

GrowthPoint growth_after(const Size& small, const Size& large, double small_tokens) {
  GrowthPoint growth = growth_at(small, large, small.curve->loss(small_tokens));
  growth.tokens_saved += cost_ratio(small, large) * (growth.small_tokens - small_tokens);
  growth.small_tokens = growth.earliest = growth.latest = small_tokens;
  return growth;
}

GrowthPoint best_growth(const Size& small, const Size& large, double end_loss) {
  const LossGrid grid = loss_grid(*small.curve);
  std::vector<double> large_tokens;
  for (double loss : grid.losses) large_tokens.push_back(large.curve->tokens(loss));
  return with_plateau(small, large, end_loss,
                      best_growth(small, large, end_loss, grid, large_tokens));
}

LossGrid loss_grid(const LossCurve& curve) {
  LossGrid grid{{curve.start()}, {}};
  for (int i = 0; i <= kGridPoints; ++i) {
    const double part = i / double{kGridPoints};
    const double loss = curve.floor() + kMostExcess * std::pow(kLeastExcess / kMostExcess, part);
    if (loss < curve.start()) grid.losses.push_back(loss);
  }
  for (double loss : grid.losses) grid.tokens.push_back(curve.tokens(loss));
  return grid;
}

// Takes the best point of the grid above the end, or the end itself, and finds the exact optimum
// between its neighbours.
GrowthPoint best_growth(const Size& small, const Size& large, double end_loss, const LossGrid& grid,
                        std::span<const double> large_tokens) {
  check_costs(small, large);
  const double end = lowest(small, large, end_loss);
  std::size_t at = 0, n = 0;
  double most = std::max(0.0, large_tokens[0] - cost_ratio(small, large) * grid.tokens[0]);
  for (; n < grid.losses.size() && grid.losses[n] > end; ++n) {
    const double saved = large_tokens[n] - cost_ratio(small, large) * grid.tokens[n];
    if (saved <= most) continue;
    most = saved;
    at = n;
  }
  GrowthPoint best = growth_at(small, large, grid.losses[at]);
  best.tokens_saved = most;
  if (n == 0) return best;
  if (const GrowthPoint last = growth_at(small, large, end); last.tokens_saved > most) {
    best = last;
    at = n;
  }
  if (at == 0) return best;
  const double low = at + 1 < n ? grid.losses[at + 1] : end;
  const double high = std::isfinite(grid.losses[at - 1]) ? grid.losses[at - 1] : best.loss;
  const auto f = [&](double loss) { return overpaid(small, large, loss); };
  if (!(low < high && f(low) > 0 && f(high) < 0)) return best;
  const GrowthPoint exact = growth_at(small, large, root(low, high, f));
  return exact.tokens_saved >= best.tokens_saved ? exact : best;
}

GrowthPoint with_plateau(const Size& small, const Size& large, double end_loss,
                         GrowthPoint growth) {
  if (!growth.pays() || growth.small_tokens == 0) return growth;
  const double start = std::min(small.curve->start(), small.curve->floor() + kMostExcess);
  const double wanted = kPlateau * growth.tokens_saved;
  growth.earliest = plateau_end(small, large, growth.loss, start, wanted);
  growth.latest = plateau_end(small, large, growth.loss, lowest(small, large, end_loss), wanted);
  return growth;
}

// With r = c_a/c_b, kappa = r^(b/(1+b)) and Delta = E_a - E_b, the slopes are equal at
//   L = E_b + Delta / (1 - kappa).
GrowthPoint best_growth(const SharedExponent& pair) {
  const double r = pair.cost_ratio, b = pair.exponent;
  const double kappa = std::pow(r, b / (1 + b)), delta = pair.small_floor - pair.large_floor;
  GrowthPoint growth;
  growth.loss = pair.large_floor + delta / (1 - kappa);
  growth.resume_tokens = std::pow(pair.scale / (growth.loss - pair.large_floor), 1 / b);
  growth.small_tokens = growth.resume_tokens * std::pow(r, -1 / (1 + b));
  growth.tokens_saved = std::pow(pair.scale / delta, 1 / b) * std::pow(1 - kappa, 1 + 1 / b);
  growth.earliest = growth.latest = growth.small_tokens;
  return growth;
}

double RunLength::last_growth() const {
  const double last = tokens - decay - mixing - margin;
  if (!(last > 0))
    throw usage_error(
        "the run is too short to grow: it has {} tokens, but decay takes {}, mixing {} and margin "
        "{}",
        short_count(tokens), short_count(decay), short_count(mixing), short_count(margin))
        .with_hint("train longer, or give a shorter mixing time if one was measured");
  return last;
}

GrowthPoint mixing_growth(const Size& small, const Size& large, const RunLength& run) {
  GrowthPoint growth = measured_growth(small, large, run.last_growth(), 1);
  growth.assumption = Assumption::mixing;
  return growth;
}

GrowthPoint measured_growth(const Size& small, const Size& large, double small_tokens, double rho) {
  check_costs(small, large);
  if (!(rho > 0)) throw usage_error("rho is {}, expected more than 0", rho);
  GrowthPoint growth;
  growth.assumption = Assumption::measured;
  growth.loss = small.curve->loss(small_tokens);
  growth.small_tokens = growth.latest = small_tokens;
  growth.earliest = kPlateau * small_tokens;  // the tokens saved are proportional to small_tokens
  growth.resume_tokens = small_tokens / rho;
  growth.tokens_saved = small_tokens * (1 / rho - cost_ratio(small, large));
  return growth;
}

}  // namespace stagedtrain::scaling
