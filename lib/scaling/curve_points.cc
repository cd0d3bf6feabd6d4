// Selects the points of a log that a stage's curve is fitted to, and thins them.
#include "scaling/curve_points.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::scaling {
namespace {

// Shares of the peak learning rate: warm-up ends at the first, and the decay begins below the
// second. The bounds are tight because even the first tenth of a cosine decay bends the curve so
// much that a fit loses its floor.
constexpr double kAtPeak = 0.99, kDecaying = 0.98;

}  // namespace

CurvePoints near_peak(std::span<const LoggedStep> steps, double begin) {
  CurvePoints curve;
  for (const LoggedStep& s : steps) curve.peak = std::max(curve.peak, s.rate);
  double x = 0, last_step = begin, last_rate = 0;
  bool warm = false;
  for (const LoggedStep& s : steps) {
    const bool at_peak = s.rate >= kAtPeak * curve.peak;
    if (at_peak && !warm) curve.warmup = s.step - begin;
    warm |= at_peak;
    x += (s.step - last_step) * (s.rate + last_rate) / 2 / curve.peak;
    last_step = s.step;
    last_rate = s.rate;
    curve.in_warmup += !warm;
    if (warm && (curve.in_decay > 0 || s.rate < kDecaying * curve.peak)) ++curve.in_decay;
    if (!warm || curve.in_decay > 0) continue;
    if (curve.points.empty()) curve.first_step = s.step;
    curve.last_step = s.step;
    curve.last_x = x;
    curve.points.push_back({x - (s.steps - 1) / 2 * s.rate / curve.peak, s.loss});
  }
  return curve;
}

std::vector<CurvePoint> thinned(std::span<const CurvePoint> points, std::size_t most) {
  if (points.size() <= most) return {points.begin(), points.end()};
  const double first = std::log(points.front().x);
  const double width = (std::log(points.back().x) - first) / static_cast<double>(most);
  std::vector<CurvePoint> result;
  std::size_t i = 0;
  const auto bin_of = [&](const CurvePoint& point) {
    const double bin = std::floor((std::log(point.x) - first) / width);
    return std::min(bin, static_cast<double>(most - 1));  // the last point lies on the last edge
  };
  while (i < points.size()) {
    const double bin = bin_of(points[i]);
    CurvePoint sum;
    double count = 0;
    for (; i < points.size() && bin_of(points[i]) == bin; ++i, ++count)
      sum = {sum.x + points[i].x, sum.loss + points[i].loss};
    result.push_back({sum.x / count, sum.loss / count});
  }
  return result;
}

double robust_deviation(std::span<const double> residuals) {
  if (residuals.empty()) return 0;
  std::vector<double> sizes;
  for (double r : residuals) sizes.push_back(std::fabs(r));
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::ranges::nth_element(sizes, middle);
  return 1.4826 * *middle;
}

}  // namespace stagedtrain::scaling
