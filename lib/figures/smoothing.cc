// Smooths curves by local linear regression in log x.
#include "figures/smoothing.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::report {
namespace {

constexpr double kLeastSpan = 0.1;  // smallest half-width of a window, in log x

// Returns half the width of the window around x, which holds the nearest `neighbours` points.
double half_width(const std::vector<XY>& points, double x, std::size_t neighbours) {
  std::vector<double> distances;
  for (const XY& point : points) distances.push_back(std::abs(point.x - x));
  const std::size_t rank = std::min(neighbours, distances.size()) - 1;
  std::ranges::nth_element(distances, distances.begin() + static_cast<std::ptrdiff_t>(rank));
  return std::max(distances[rank], kLeastSpan) * (1 + 1e-9);
}

// Returns the value at x of the weighted least-squares line through the points.
double local_line(const std::vector<XY>& points, double x, double half) {
  double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (const XY& point : points) {
    const double d = point.x - x, u = std::abs(d) / half;
    if (u >= 1) continue;
    const double weight = std::pow(1 - u * u * u, 3);
    w += weight, wx += weight * d, wy += weight * point.y;
    wxx += weight * d * d, wxy += weight * d * point.y;
  }
  const double determinant = w * wxx - wx * wx;
  if (!(determinant > 1e-12 * w * w * half * half)) return wy / w;
  return (wxx * wy - wx * wxy) / determinant;
}

}  // namespace

std::vector<XY> smoothed(std::vector<XY> points, std::size_t neighbours, std::size_t count) {
  std::erase_if(points, [](const XY& p) { return !(p.x > 0) || !std::isfinite(p.x + p.y); });
  if (points.size() < 3 || !(points.back().x > points.front().x)) return points;
  for (XY& point : points) point.x = std::log(point.x);
  const double low = points.front().x, high = points.back().x;
  std::vector<XY> line;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1);
    line.push_back({std::exp(x), local_line(points, x, half_width(points, x, neighbours))});
  }
  return line;
}

}  // namespace stagedtrain::report
