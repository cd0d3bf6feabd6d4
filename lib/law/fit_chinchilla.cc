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

constexpr std::size_t kFewest = 6;
constexpr std::array kExponents{0.15, 0.25, 0.35, 0.5, 0.7, 1.0};
constexpr std::size_t kStarts = 4;

// Logarithms of the points; N and D relative to their means, so that the scales E, A n^-a, B d^-b
// are alike and the parameters nearly independent.
struct Points {
  std::vector<double> n, d, loss;
  double mean_n = 0, mean_d = 0;

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
  }
};

using Parameters = std::array<double, 5>;  // logarithms of E, A, B (at the means), a, b

void residuals_at(const Points& points, std::span<const double> p, std::span<double> r,
                  std::span<double> J) {
  const double E = std::exp(p[0]), a = std::exp(p[3]), b = std::exp(p[4]);
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double A = std::exp(p[1] - a * points.n[i]), B = std::exp(p[2] - b * points.d[i]);
    const double sum = E + A + B;
    r[i] = std::log(sum) - points.loss[i];
    double* row = &J[i * 5];
    row[0] = E / sum;
    row[1] = A / sum;
    row[2] = B / sum;
    row[3] = -A / sum * points.n[i] * a;
    row[4] = -B / sum * points.d[i] * b;
  }
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
  const double least = 1e-3 * std::exp(*std::ranges::min_element(points.loss));
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
      least_squares([&](auto p, auto r, auto J) { residuals_at(points, p, r, J); },
                    points.loss.size(), {start.begin(), start.end()}, {.huber = huber});
  const std::vector<double>& p = fit.parameters;
  const double a = std::exp(p[3]), b = std::exp(p[4]);
  return {.law = {std::exp(p[0]), std::exp(p[1] + a * points.mean_n),
                  std::exp(p[2] + b * points.mean_d), a, b},
          .huber = huber,
          .objective = fit.objective,
          .gradient = fit.gradient,
          .converged = fit.converged,
          .agreeing = fit.converged,
          .starts = 1};
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

}  // namespace

ChinchillaFit fit_chinchilla(std::span<const RunPoint> given, double huber) {
  check(given);
  const Points points(given);
  std::vector<ChinchillaFit> fits;
  for (const Start& start : best_starts(points))
    fits.push_back(descend(points, start.parameters, huber));
  ChinchillaFit best = *std::ranges::min_element(fits, {}, &ChinchillaFit::objective);
  best.starts = static_cast<int>(fits.size());
  best.agreeing = static_cast<int>(std::ranges::count_if(fits, [&](const ChinchillaFit& fit) {
    return fit.converged && same_minimum(fit.objective, best.objective, given.size());
  }));
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
