// The curve of one stage, over the learning rate spent so far: what a log at constant rate shows.
#pragma once

#include <span>
#include <vector>

#include "law/power_curve.h"

namespace stagedtrain::law {

// L(x) = E + B (x + x0)^-b, x the sum of learning rate / peak over the steps. With x0 = 0 on this
// abscissa warm-up is already counted at half; a free x0 takes what is left. Valid while the rate
// is near its peak, and to 2 or 3 times the steps it was fitted on; it knows nothing of a decay.
struct StageCurve {
  double E = 0, B = 0, b = 0, x0 = 0;

  double loss(double x) const;
  // As tokens: x times tokens_per_x, the tokens of a step.
  PowerCurve curve(double tokens_per_x) const;
};

// The abscissa of each step: sums of rate / peak, the first element after the first step.
std::vector<double> learning_spent(std::span<const double> rates, double peak);

}  // namespace stagedtrain::law
