// The fit of Chinchilla's law: variable projection for starts, then one robust descent from each.
#include "law/fit_chinchilla.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/error.h"
#include "law/nnls.h"

namespace stagedtrain::law {
namespace {

constexpr std::size_t kFewest = 6, kMany = 50, kParameters = 5;
constexpr std::array kExponents{0.15, 0.25, 0.35, 0.5, 0.7, 1.0};
constexpr std::size_t kStarts = 4;
// Few runs let exponents run away. Beyond these bounds they are pulled back, as strongly as one run
// pulls; within, the fit is the data's alone. The three terms are kept from 0 in the same way.
constexpr double kLowExponent = 0.1, kHighExponent = 1.0, kLowFloor = 0.01, kLowTerm = 1e-3;
constexpr std::size_t kPulls = 5;
// With few runs a delta below their noise would leave the law to as many of them as it has
// parameters, and the others without a say.
constexpr double kLeastHuber = 1e-3, kNoises = 2;

// Logarithms of the points; N and D relative to their means, so that the scales E, A n^-a, B d^-b
// are alike and the parameters nearly independent.
struct Points {
  std::vector<double> n, d, loss;
  double mean_n = 0, mean_d = 0, least = 0;  // least: the logarithm of the lowest loss

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

using Parameters = std::array<double, 5>;  // logarithms of E, A, B (at the means), a, b

// A residual for each point, then the pulls.
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

// The best E, A, B for these exponents, by relative squares.
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
  best.converged = best.agreeing > 0;  // the lowest may lack its last step where another has it
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
        "found {} runs of {} sizes and {} numbers of tokens, expected at least {} of 3 each to "
        "fit the five parameters of Chinchilla's law",
        points.size(), sizes.size(), tokens.size(), kFewest)
        .with_hint("add finished runs of other sizes and lengths, or use published constants");
}

// The noise of a run, the tenth of them that are farthest off left out.
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

}  // namespace stagedtrain::law
