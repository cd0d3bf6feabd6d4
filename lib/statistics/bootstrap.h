// How much would the results of a fit change with other data? Bootstraps, the same for the same
// seed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "statistics/fit_chinchilla.h"
#include "statistics/fit_curve.h"

namespace stagedtrain::scaling {

struct BootstrapOptions {
  int resamples = 400;
  std::uint64_t seed = 1;
  std::size_t block = 20;  // neighbours of a curve that are drawn together
};

// 80% of the resamples lie between low and high.
struct Interval {
  double low = 0, high = 0;
};
// Returns the 10% and 90% quantiles, interpolated linearly. Requires at least one value.
Interval interval(std::vector<double> values);

// Redraws the fit's residuals around its law and fits the law again, once per resample. Residuals
// are widened for the degrees of freedom that the fit took, and because few runs determine their
// own noise only roughly. Leaves out fits that do not converge.
std::vector<Chinchilla> bootstrap_chinchilla(std::span<const RunPoint> points,
                                             const ChinchillaFit& fit,
                                             const BootstrapOptions& options = {});

// Redraws blocks of neighbouring residuals around the fitted curve and fits the curve again, once
// per resample. This covers noise alone; prefix_fits() shows how wrong the law may be.
std::vector<StageCurve> bootstrap_curve(const CurveFit& fit, double offset_spread,
                                        const BootstrapOptions& options = {});

// A fit to the first part of the points, and how well it predicts the last points.
struct PrefixFit {
  double share = 1;  // share of x
  CurveFit fit;
  double error = 0;  // predicted - measured, nats, mean of the last 5% of x
};
// Returns the fits to the first 50%, 70% and 100% of x, without those to fewer than 8 points.
std::vector<PrefixFit> prefix_fits(std::span<const CurvePoint> points,
                                   const CurveFitOptions& options);

}  // namespace stagedtrain::scaling
