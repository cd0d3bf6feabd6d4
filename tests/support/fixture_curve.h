// Points of planning.md's 100M curve (x in 1e4 steps at peak) with white noise, for fits.
#pragma once

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "scaling/curve_points.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::test {

inline const scaling::StageCurve kCurve100M{2.80104, .345534, .462891, 0};
inline const scaling::StageCurve kCurve400M{2.55989, .374287, .451497, 0};

// 200 points, evenly in ln x from low to high; noise is relative to the loss.
inline std::vector<scaling::CurvePoint> noisy_curve(double low, double high, double noise,
                                                    std::uint64_t seed) {
  const CounterRng rng(seed, 7);
  std::vector<scaling::CurvePoint> points;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const double x = low * std::pow(high / low, static_cast<double>(i) / 199);
    points.push_back({x, kCurve100M.loss(x) * (1 + noise * rng.normal(i))});
  }
  return points;
}

}  // namespace stagedtrain::test
