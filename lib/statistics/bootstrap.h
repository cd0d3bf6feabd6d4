// How far a fit's numbers would move with other data: bootstraps, the same for the same seed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "statistics/fit_chinchilla.h"
#include "statistics/fit_curve.h"

namespace stagedtrain::law {

struct BootstrapOptions {
  int resamples = 400;
  std::uint64_t seed = 1;
  std::size_t block = 20;  // neighbours of a curve that are drawn together
};

// 80% of the resamples lie between low and high.
struct Interval {
  double low = 0, high = 0;
};
// The 10% and 90% points, linear between values. Requires at least one value; sorts them.
Interval interval(std::vector<double> values);

// The fit's residuals are drawn and put on its law, which is fitted again. They are made wider by the
// degrees of freedom that the fit has taken, and by how badly few runs tell their own noise. Fits
// that do not converge are left out.
std::vector<Chinchilla> bootstrap_chinchilla(std::span<const RunPoint> points,
                                             const ChinchillaFit& fit,
                                             const BootstrapOptions& options = {});

// Blocks of neighbouring residuals are drawn and put on the fitted curve, which is fitted again.
// This is noise alone; how wrong the law may be, refits to prefixes say.
std::vector<StageCurve> bootstrap_curve(const CurveFit& fit, double offset_spread,
                                        const BootstrapOptions& options = {});

// The fit to the first part of the points, and how well it predicts the last point.
struct PrefixFit {
  double share = 1;  // of x
  CurveFit fit;
  double error = 0;  // predicted - measured, nats, mean of the last 5% of x
};
// 50%, 70% and 100%; those with fewer than 8 points are left out.
std::vector<PrefixFit> prefix_fits(std::span<const CurvePoint> points,
                                   const CurveFitOptions& options);

}  // namespace stagedtrain::law
