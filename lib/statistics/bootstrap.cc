// Resamples with counter-based random numbers: each draw is a function of (seed, resample, index).
#include "statistics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::scaling {
namespace {

constexpr std::array kShares{0.5, 0.7, 1.0};
constexpr std::size_t kFewest = 8, kLawParameters = 5;
constexpr double kLastPart = 0.95, kParameters = 4;

double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] * (1 - part) + sorted[above] * part;
}

// Returns the factor on residuals that are drawn in blocks. The fit's parameters follow variations
// as slow as blocks are long, so the residuals lack that share of the variance.
double lost_in_fit(std::size_t count, std::size_t block) {
  const auto n = static_cast<double>(count);
  return std::sqrt(n / (n - kParameters * static_cast<double>(block)));
}

// Returns the factor that makes redrawn residuals as wide as the noise of the runs may be: the fit
// took a part of the noise, and few runs determine it only roughly (Student's t).
double noise_scale(std::size_t count, std::size_t left, const CounterRng& rng) {
  double chi = 0;
  for (std::size_t j = 0; j < left; ++j) chi += std::pow(rng.normal(count + j), 2);
  return std::sqrt(static_cast<double>(count) / chi);
}

// Draws as many residuals as the fit has, in blocks that begin anywhere and wrap around, and
// subtracts the mean of all residuals.
std::vector<double> drawn_residuals(const CurveFit& fit, std::size_t block, const CounterRng& rng) {
  const std::size_t count = fit.residuals.size();
  std::vector<double> drawn;
  double mean = 0;
  for (std::uint64_t i = 0; drawn.size() < count; ++i) {
    const std::size_t start = rng.below(i, count);
    for (std::size_t k = 0; k < block && drawn.size() < count; ++k)
      drawn.push_back(fit.residuals[(start + k) % count]);
  }
  for (double r : fit.residuals) mean += r / static_cast<double>(count);
  for (double& r : drawn) r = (r - mean) * lost_in_fit(count, block);
  return drawn;
}

// Returns the mean of predicted minus measured over the last part of the points.
double end_error(std::span<const CurvePoint> points, const StageCurve& law) {
  double sum = 0, count = 0;
  for (const auto& [x, loss] : points) {
    if (x < kLastPart * points.back().x) continue;
    sum += law.loss(x) - loss;
    ++count;
  }
  return sum / count;
}

}  // namespace

Interval interval(std::vector<double> values) {
  ST_CHECK(!values.empty(), "no values");
  std::ranges::sort(values);
  return {quantile(values, 0.1), quantile(values, 0.9)};
}

std::vector<Chinchilla> bootstrap_chinchilla(std::span<const RunPoint> points,
                                             const ChinchillaFit& fit,
                                             const BootstrapOptions& options) {
  std::vector<Chinchilla> laws;
  std::vector<RunPoint> drawn(points.begin(), points.end());
  const std::size_t count = points.size(), left = count - kLawParameters;
  for (int k = 0; k < options.resamples; ++k) {
    const CounterRng rng(options.seed, static_cast<std::uint64_t>(k));
    const double scale = noise_scale(count, left, rng);
    for (std::size_t i = 0; i < count; ++i)
      drawn[i].loss = fit.law.loss(points[i].parameters, points[i].tokens) *
                      std::exp(-scale * fit.residuals[rng.below(i, count)]);
    const ChinchillaFit refit = refit_chinchilla(drawn, fit);
    if (refit.converged) laws.push_back(refit.law);
  }
  return laws;
}

std::vector<StageCurve> bootstrap_curve(const CurveFit& fit, double offset_spread,
                                        const BootstrapOptions& options) {
  std::vector<StageCurve> laws;
  const std::size_t block = std::clamp<std::size_t>(options.block, 1, fit.points.size() / 8 + 1);
  std::vector<CurvePoint> points = fit.points;
  for (int k = 0; k < options.resamples; ++k) {
    const CounterRng rng(options.seed, static_cast<std::uint64_t>(k));
    const std::vector<double> residuals = drawn_residuals(fit, block, rng);
    for (std::size_t i = 0; i < points.size(); ++i)
      points[i].loss = fit.law.loss(points[i].x) * std::exp(-residuals[i]);
    const CurveFit refit = refit_curve(points, fit, offset_spread);
    if (refit.converged) laws.push_back(refit.law);
  }
  return laws;
}

std::vector<PrefixFit> prefix_fits(std::span<const CurvePoint> points,
                                   const CurveFitOptions& options) {
  std::vector<PrefixFit> fits;
  for (double share : kShares) {
    const auto end = std::ranges::find_if(
        points, [&](const CurvePoint& p) { return p.x > share * points.back().x; });
    const std::span<const CurvePoint> prefix(points.begin(), end);
    if (prefix.size() < kFewest) continue;
    PrefixFit prefix_fit{share, fit_curve(prefix, options)};
    prefix_fit.error = end_error(points, prefix_fit.fit.law);
    fits.push_back(std::move(prefix_fit));
  }
  return fits;
}

}  // namespace stagedtrain::scaling
