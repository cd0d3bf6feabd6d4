// Which constants of Chinchilla's law fit a set of finished runs best?
//
// The fit minimizes  sum_i Huber_delta(ln(L(N_i, D_i) / L_i)),  L(N, D) = E + A N^-a + B D^-b
// (Hoffmann et al., arXiv 2203.15556, section 3.3), over the logarithms of E, a, b and of the terms
// A N^-a and B D^-b at the geometric means of N and D. So all constants stay positive, and the
// parameters are nearly independent.
//
// Starts come from variable projection: for each of 6 x 6 pairs of exponents, E, A and B are a
// linear least-squares problem without negative solutions. Levenberg-Marquardt descends from the
// best 4.
//
// With fewer than 50 runs, delta is at least twice the noise of a run. A smaller delta would let as
// many runs as there are parameters determine the law, and the others would not count. Exponents
// outside of .1 to 1, E below 1% and terms below .1% of the lowest loss are pulled back as strongly
// as one run pulls; inside these bounds only the data count.
//
// Rejected: hundreds of starts with L-BFGS, as in the paper. A quarter of them reach the minimum,
// and Besiroglu et al. (arXiv 2404.10102) showed that the published constants come from a descent
// that stopped early, because the mean of the losses was minimized with the default tolerance. The
// sum, exact derivatives and a test of the gradient avoid that.
#include "statistics/fit_chinchilla.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/error.h"
#include "statistics/nnls.h"

namespace stagedtrain::scaling {
namespace {

constexpr std::size_t kFewest = 6, kMany = 50, kParameters = 5;
constexpr std::array kExponents{0.15, 0.25, 0.35, 0.5, 0.7, 1.0};
constexpr std::size_t kStarts = 4;
// The bounds beyond which parameters are pulled back. kLowFloor (of E) and kLowTerm (of both power
// terms) are shares of the lowest loss.
constexpr double kLowExponent = 0.1, kHighExponent = 1.0, kLowFloor = 0.01, kLowTerm = 1e-3;
constexpr std::size_t kPulls = 5;
// The smallest delta, and for few runs the least delta as a multiple of their noise.
constexpr double kLeastHuber = 1e-3, kNoises = 2;

// The logarithms of the points. N and D are relative to their means.
struct Points {
  std::vector<double> n, d, loss;
  double mean_n = 0, mean_d = 0, least = 0;  // least is the logarithm of the lowest loss

  explicit Points(std::span<const RunPoint> points) {
    const double count = static_cast<double>(points.size());
    for (const RunPoint& p : points) {
      mean_n += std::log(p.parameters) / count;
      mean_d += std::log(p.tokens) / count;
    }
    for (const RunPoint& p : points) {
      n.push_back(std::log(p.parameters) - mean_n);
      d.push_back(std::log(p.tokens) - mean_d);
      loss.push_back(std::log(p.loss));
    }
    least = *std::ranges::min_element(loss);
  }
  std::size_t count() const { return loss.size() + kPulls; }
};

using Parameters = std::array<double, 5>;  // ln E, ln of both terms at the means, ln a, ln b

// Fills in one residual for each point, followed by those that pull parameters back.
void residuals_at(const Points& points, double huber, std::span<const double> p,
                  std::span<double> r, std::span<double> J) {
  const double E = std::exp(p[0]), a = std::exp(p[3]), b = std::exp(p[4]);
  const std::size_t count = points.loss.size();
  for (std::size_t i = 0; i < count; ++i) {
    const double A = std::exp(p[1] - a * points.n[i]), B = std::exp(p[2] - b * points.d[i]);
    const double sum = E + A + B;
    r[i] = std::log(sum) - points.loss[i];
    double* row = &J[i * kParameters];
    row[0] = E / sum;
    row[1] = A / sum;
    row[2] = B / sum;
    row[3] = -A / sum * points.n[i] * a;
    row[4] = -B / sum * points.d[i] * b;
  }
  std::ranges::fill(J.subspan(count * kParameters), 0.0);
  const auto pull = [&](std::size_t k, std::size_t parameter, double low, double high) {
    const double value = p[parameter], bounded = std::clamp(value, low, high);
    r[count + k] = huber * (value - bounded);
    J[(count + k) * kParameters + parameter] = value == bounded ? 0 : huber;
  };
  pull(0, 3, std::log(kLowExponent), std::log(kHighExponent));
  pull(1, 4, std::log(kLowExponent), std::log(kHighExponent));
  pull(2, 0, std::log(kLowFloor) + points.least, kInfinity);
  pull(3, 1, std::log(kLowTerm) + points.least, kInfinity);
  pull(4, 2, std::log(kLowTerm) + points.least, kInfinity);
}

struct Start {
  double squares;
  Parameters parameters;
};

// Returns the E, A and B that minimize the squared relative errors for these exponents.
Start start_at(const Points& points, double a, double b) {
  const std::size_t count = points.loss.size();
  std::vector<std::vector<double>> columns(3, std::vector<double>(count));
  for (std::size_t i = 0; i < count; ++i) {
    columns[0][i] = std::exp(-points.loss[i]);
    columns[1][i] = std::exp(-a * points.n[i] - points.loss[i]);
    columns[2][i] = std::exp(-b * points.d[i] - points.loss[i]);
  }
  const NonNegativeFit fit = non_negative_fit(columns, std::vector<double>(count, 1));
  const double least = 1e-3 * std::exp(points.least);
  Start start{fit.squares, {0, 0, 0, std::log(a), std::log(b)}};
  for (std::size_t j = 0; j < 3; ++j)
    start.parameters[j] = std::log(std::max(fit.coefficients[j], least));
  return start;
}

std::vector<Start> best_starts(const Points& points) {
  std::vector<Start> starts;
  for (double a : kExponents)
    for (double b : kExponents) starts.push_back(start_at(points, a, b));
  std::ranges::stable_sort(starts, {}, &Start::squares);
  starts.resize(kStarts);
  return starts;
}

ChinchillaFit descend(const Points& points, const Parameters& start, double huber) {
  const LeastSquaresFit fit =
      least_squares([&](auto p, auto r, auto J) { residuals_at(points, huber, p, r, J); },
                    points.count(), {start.begin(), start.end()}, {.huber = huber});
  const std::vector<double>& p = fit.parameters;
  const double a = std::exp(p[3]), b = std::exp(p[4]);
  const auto outside = [](double e) { return e < kLowExponent || e > kHighExponent; };
  return {.law = {std::exp(p[0]), std::exp(p[1] + a * points.mean_n),
                  std::exp(p[2] + b * points.mean_d), a, b},
          .huber = huber,
          .objective = fit.objective,
          .gradient = fit.gradient,
          .converged = fit.converged,
          .pulled = outside(a) || outside(b) || p[0] < std::log(kLowFloor) + points.least ||
                    std::min(p[1], p[2]) < std::log(kLowTerm) + points.least,
          .agreeing = fit.converged,
          .starts = 1};
}

ChinchillaFit best_fit(const Points& points, double huber) {
  std::vector<ChinchillaFit> fits;
  for (const Start& start : best_starts(points))
    fits.push_back(descend(points, start.parameters, huber));
  ChinchillaFit best = *std::ranges::min_element(fits, {}, &ChinchillaFit::objective);
  best.starts = static_cast<int>(fits.size());
  best.agreeing = static_cast<int>(std::ranges::count_if(fits, [&](const ChinchillaFit& fit) {
    return fit.converged && same_minimum(fit.objective, best.objective, points.loss.size());
  }));
  best.converged = best.agreeing > 0;  // another start may have converged to the same minimum
  return best;
}

void find_residuals(std::span<const RunPoint> points, ChinchillaFit& fit) {
  double squares = 0;
  for (const RunPoint& p : points) {
    fit.residuals.push_back(std::log(fit.law.loss(p.parameters, p.tokens) / p.loss));
    squares += fit.residuals.back() * fit.residuals.back();
  }
  fit.noise = std::sqrt(squares / static_cast<double>(points.size() - kParameters));
}

void check(std::span<const RunPoint> points) {
  std::set<double> sizes, tokens;
  for (const RunPoint& p : points) {
    sizes.insert(p.parameters);
    tokens.insert(p.tokens);
  }
  const bool enough = points.size() >= kFewest && sizes.size() >= 3 && tokens.size() >= 3;
  if (!enough)
    throw input_error(
        "found {} runs of {} sizes and {} lengths; Chinchilla's law has five parameters "
        "and needs at least {} runs, of 3 sizes and 3 lengths",
        points.size(), sizes.size(), tokens.size(), kFewest)
        .with_hint("add finished runs of other sizes and lengths, or use published constants");
}

// Returns the standard deviation of the residuals, without the largest tenth of them.
double noise_without_wild(std::vector<double> residuals) {
  for (double& r : residuals) r *= r;
  std::ranges::sort(residuals);
  residuals.resize(residuals.size() - residuals.size() / 10);
  double squares = 0;
  for (const double square : residuals) squares += square;
  const std::size_t left = std::max<std::size_t>(1, residuals.size() - kParameters);
  return std::sqrt(squares / static_cast<double>(left));
}

}  // namespace

ChinchillaFit fit_chinchilla(std::span<const RunPoint> given, double huber) {
  check(given);
  const Points points(given);
  ChinchillaFit best = best_fit(points, huber > 0 ? huber : kLeastHuber);
  find_residuals(given, best);
  const double wider = kNoises * noise_without_wild(best.residuals);
  if (huber > 0 || given.size() >= kMany || wider <= best.huber) return best;
  best = best_fit(points, wider);
  find_residuals(given, best);
  return best;
}

ChinchillaFit refit_chinchilla(std::span<const RunPoint> given, const ChinchillaFit& start) {
  const Points points(given);
  const Chinchilla& law = start.law;
  return descend(points,
                 {std::log(law.E), std::log(law.A) - law.a * points.mean_n,
                  std::log(law.B) - law.b * points.mean_d, std::log(law.a), std::log(law.b)},
                 start.huber);
}

}  // namespace stagedtrain::scaling
