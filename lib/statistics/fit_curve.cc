// Which power law with a floor fits the log of one stage best?
//
// The fit minimizes  sum_i Huber_delta(ln(L(x_i) / L_i)),  L(x) = E + B (x + x0)^-b,  where x is
// the learning rate spent in units of the peak rate (docs/planning.md, "Fitting to your own logs").
// The parameters are ln E, ln b, the logarithm of the power term at the geometric mean of the first
// and the last x (where it is nearly independent of b), and the logarithm of x + x0 at the first
// point. So E, B, b and all x + x0 stay positive.
//
// Starts come from variable projection: for each pair of 6 exponents and 5 offsets, E and B are a
// linear least-squares problem without negative solutions. Levenberg-Marquardt descends from the
// best three. Points further from this first fit than 5 robust deviations are spikes. A second fit
// leaves them out; its delta, unless given, is at least twice the noise of the first.
//
// Three more residuals pull x0 towards 0 (by CurveFitOptions::offset_spread), b into .1 to 1.5, and
// E above .1% of the lowest loss, each as strongly as one point pulls. Short logs determine neither
// b nor E; inside these bounds only the data count.
//
// Rejected: steps in place of x. Fitted to 8,000 steps of the public curves of docs/planning.md,
// such laws missed the loss after 72,000 steps by .08 to .12 nats; over x, with x0 free, by .002 to
// .018.
#include "statistics/fit_curve.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "statistics/least_squares.h"
#include "statistics/nnls.h"

namespace stagedtrain::scaling {
namespace {

constexpr std::array kExponents{0.1, 0.2, 0.35, 0.5, 0.75, 1.1};
// Starts of the fit: x + x0 at the first point, as multiples of its x.
constexpr std::array kDistances{0.25, 0.6, 1.0, 1.5, 3.0};
constexpr std::size_t kFewest = 5, kStarts = 3;
constexpr double kLeastHuber = 1e-3, kSpike = 5;
// An E below this share of the lowest loss means that the points do not show a floor.
constexpr double kLeastFloor = 0.01;
// The bounds beyond which b and E are pulled back; kLowFloor is a share of the lowest loss.
constexpr double kLowB = 0.1, kHighB = 1.5, kLowFloor = 0.001;
constexpr std::size_t kPulls = 3;  // residuals that pull x0, b and E

using Parameters = std::array<double, 4>;  // ln E, ln power at middle, ln b, ln (first + x0)

// The points, and `middle`, the x at which the power term is a parameter.
struct Problem {
  std::span<const CurvePoint> points;
  double first, middle, least, spread, huber;

  Problem(std::span<const CurvePoint> p, double offset_spread, double delta)
      : points(p),
        first(p.front().x),
        middle(std::sqrt(p.front().x * p.back().x)),
        least(std::ranges::min(p, {}, &CurvePoint::loss).loss),
        spread(offset_spread),
        huber(delta) {}

  std::size_t count() const { return points.size() + kPulls; }
  StageCurve law(std::span<const double> p) const {
    const double b = std::exp(p[2]), x0 = std::exp(p[3]) - first;
    return {std::exp(p[0]), std::exp(p[1] + b * std::log(middle)), b, x0};
  }
  Parameters parameters(const StageCurve& law) const {
    return {std::log(law.E), std::log(law.B) - law.b * std::log(middle), std::log(law.b),
            std::log(std::max(first + law.x0, 1e-3 * first))};
  }
};

// Returns how far a value lies outside of its range: negative below, positive above, 0 inside.
double outside(double value, double low, double high) {
  return value < low ? value - low : value > high ? value - high : 0;
}

// Fills in the residuals that pull x0 towards 0, and b and E back into their bounds.
void pulls_at(const Problem& problem, std::span<const double> p, std::span<double> r,
              std::span<double> J) {
  std::ranges::fill(J, 0.0);
  const double distance = std::exp(p[3]);
  const double pull = problem.spread > 0 ? problem.huber / problem.spread : 0;
  r[0] = (distance - problem.first) * pull;
  J[3] = distance * pull;
  r[1] = problem.huber * outside(p[2], std::log(kLowB), std::log(kHighB));
  J[4 + 2] = r[1] == 0 ? 0 : problem.huber;
  r[2] = problem.huber * outside(p[0], std::log(kLowFloor * problem.least), kInfinity);
  J[8 + 0] = r[2] == 0 ? 0 : problem.huber;
}

// Fills in one residual for each point, followed by those that pull parameters.
void residuals_at(const Problem& problem, std::span<const double> p, std::span<double> r,
                  std::span<double> J) {
  const double E = std::exp(p[0]), b = std::exp(p[2]), distance = std::exp(p[3]);
  const double x0 = distance - problem.first, middle = std::log(problem.middle);
  const std::size_t count = problem.points.size();
  for (std::size_t i = 0; i < count; ++i) {
    const double x = problem.points[i].x + x0, along = std::log(x) - middle;
    const double power = std::exp(p[1] - b * along), sum = E + power;
    r[i] = std::log(sum / problem.points[i].loss);
    double* row = &J[i * 4];
    row[0] = E / sum;
    row[1] = power / sum;
    row[2] = -power / sum * along * b;
    row[3] = -power / sum * b * distance / x;
  }
  pulls_at(problem, p, r.subspan(count), J.subspan(count * 4));
}

struct Start {
  double squares;
  Parameters parameters;
};

Start start_at(const Problem& problem, double b, double x0) {
  const std::size_t count = problem.points.size();
  std::vector<std::vector<double>> columns(2, std::vector<double>(count));
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [x, loss] = problem.points[i];
    columns[0][i] = 1 / loss;
    columns[1][i] = std::pow((x + x0) / problem.middle, -b) / loss;
  }
  const NonNegativeFit fit = non_negative_fit(columns, std::vector<double>(count, 1));
  const double E = std::max(fit.coefficients[0], 0.1 * problem.least);
  const double B =
      std::max(fit.coefficients[1], 1e-3 * problem.least) * std::pow(problem.middle, b);
  return {fit.squares, problem.parameters({E, B, b, x0})};
}

std::vector<Start> best_starts(const Problem& problem) {
  std::vector<Start> starts;
  for (double b : kExponents)
    for (double distance : kDistances)
      starts.push_back(start_at(problem, b, (distance - 1) * problem.first));
  std::ranges::stable_sort(starts, {}, &Start::squares);
  starts.resize(kStarts);
  return starts;
}

CurveFit descend(const Problem& problem, const Parameters& start) {
  const LeastSquaresFit fit =
      least_squares([&](auto p, auto r, auto J) { residuals_at(problem, p, r, J); },
                    problem.count(), {start.begin(), start.end()}, {.huber = problem.huber});
  CurveFit result;
  result.law = problem.law(fit.parameters);
  result.huber = problem.huber;
  result.objective = fit.objective;
  result.gradient = fit.gradient;
  result.converged = fit.converged;
  result.points.assign(problem.points.begin(), problem.points.end());
  for (const auto& [x, loss] : problem.points)
    result.residuals.push_back(std::log(result.law.loss(x) / loss));
  result.noise = robust_deviation(result.residuals);
  result.floor_found = result.law.E > kLeastFloor * problem.least;
  return result;
}

CurveFit best_fit(std::span<const CurvePoint> points, double spread, double huber) {
  const Problem problem(points, spread, huber);
  std::vector<CurveFit> fits;
  for (const Start& start : best_starts(problem))
    fits.push_back(descend(problem, start.parameters));
  CurveFit best = *std::ranges::min_element(fits, {}, &CurveFit::objective);
  best.starts = static_cast<int>(fits.size());
  best.agreeing = static_cast<int>(std::ranges::count_if(fits, [&](const CurveFit& fit) {
    return same_minimum(fit.objective, best.objective, points.size());
  }));
  return best;
}

// Returns the points that are no spikes by the first fit.
std::vector<CurvePoint> without_spikes(std::span<const CurvePoint> points, const CurveFit& fit) {
  std::vector<double> residuals;
  for (const auto& [x, loss] : points) residuals.push_back(std::log(fit.law.loss(x) / loss));
  const double most = kSpike * std::max(robust_deviation(residuals), 1e-9);
  std::vector<CurvePoint> kept;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (std::fabs(residuals[i]) <= most) kept.push_back(points[i]);
  return kept;
}

}  // namespace

CurveFit fit_curve(std::span<const CurvePoint> points, const CurveFitOptions& options) {
  ST_CHECK(points.size() >= kFewest, "{} points", points.size());
  const double huber = options.huber > 0 ? options.huber : kLeastHuber;
  const CurveFit first =
      best_fit(thinned(points, options.most_points), options.offset_spread, huber);
  const std::vector<CurvePoint> kept = without_spikes(points, first);
  const std::vector<CurvePoint> used = thinned(kept, options.most_points);
  const double delta = options.huber > 0 ? huber : std::max(kLeastHuber, 2 * first.noise);
  CurveFit fit = first;
  if (kept.size() != points.size() || delta != huber)
    fit = best_fit(used, options.offset_spread, delta);
  fit.spikes = points.size() - kept.size();
  return fit;
}

CurveFit refit_curve(std::span<const CurvePoint> points, const CurveFit& start,
                     double offset_spread) {
  const Problem problem(points, offset_spread, start.huber);
  CurveFit fit = descend(problem, problem.parameters(start.law));
  fit.agreeing = fit.starts = 1;
  return fit;
}

}  // namespace stagedtrain::scaling
