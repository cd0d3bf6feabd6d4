// Fits a stage's power law to its logged losses at constant learning rate.
#pragma once

#include <span>
#include <vector>

#include "law/curve_points.h"
#include "law/stage_curve.h"

namespace stagedtrain::law {

struct CurveFitOptions {
  double huber = 0;          // of ln(predicted / measured); 0: twice the noise, at least 1e-3
  double offset_spread = 0;  // how far from 0 x0 is likely to be; 0: anywhere
  std::size_t most_points = 200;
};

struct CurveFit {
  StageCurve law;
  double huber = 0, objective = 0, gradient = 0;
  double noise = 0;  // robust standard deviation of ln(predicted / measured), of the thinned points
  bool converged = false, floor_found = true;  // floor_found: E did not go to 0
  int agreeing = 0, starts = 0;
  std::size_t spikes = 0;          // points dropped, beyond 5 robust deviations
  std::vector<CurvePoint> points;  // what it was fitted to
  std::vector<double> residuals;   // ln(predicted / measured) of these
};

// L(x) = E + B (x + x0)^-b; all parameters and x + x0 positive. Starts come from a grid over b and
// x0 with E and B linear. Requires at least 5 points of rising, positive x and positive losses.
CurveFit fit_curve(std::span<const CurvePoint> points, const CurveFitOptions& options);

// Fits points like those of a fit, from its parameters, with its delta and no dropping or thinning.
CurveFit refit_curve(std::span<const CurvePoint> points, const CurveFit& start,
                     double offset_spread);

}  // namespace stagedtrain::law
