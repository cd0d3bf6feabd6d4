// Fits the power law of one stage to the losses that it logged near its peak learning rate.
#pragma once

#include <span>
#include <vector>

#include "scaling/curve_points.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::scaling {

struct CurveFitOptions {
  double huber = 0;  // delta for ln(predicted / measured); 0: twice the noise, at least 1e-3
  double offset_spread = 0;  // the likely distance of x0 from 0, in x; 0: x0 is free
  std::size_t most_points = 200;
};

struct CurveFit {
  StageCurve law;
  double huber = 0, objective = 0, gradient = 0;
  double noise = 0;  // robust standard deviation of ln(predicted / measured) of the thinned points
  bool converged = false, floor_found = true;  // floor_found is false where E went to 0
  int agreeing = 0, starts = 0;                // how many starts reached the objective, of how many
  std::size_t spikes = 0;          // the number of points dropped, beyond 5 robust deviations
  std::vector<CurvePoint> points;  // the thinned points that the law was fitted to
  std::vector<double> residuals;   // ln(predicted / measured) of these points
};

// Fits L(x) = E + B (x + x0)^-b with positive E, B, b and x + x0; fit_curve.cc describes how.
// Requires at least 5 points of rising, positive x and positive losses. Throws Error(input) as
// least_squares() does.
CurveFit fit_curve(std::span<const CurvePoint> points, const CurveFitOptions& options);

// Fits similar points from the parameters and with the delta of an earlier fit, as a bootstrap
// does. Points are neither dropped nor thinned.
CurveFit refit_curve(std::span<const CurvePoint> points, const CurveFit& start,
                     double offset_spread);

}  // namespace stagedtrain::scaling
