// How does the loss fall within one stage? A power law of the learning rate spent so far.
#pragma once

#include <span>
#include <vector>

#include "scaling/power_curve.h"

namespace stagedtrain::scaling {

// L(x) = E + B (x + x0)^-b, where x is the sum of learning rate / peak over the steps. On this axis
// a linear warm-up counts as half of its steps even with x0 = 0; a fitted x0 takes up the rest. The
// law is valid near the peak rate, up to 2 or 3 times the steps that it was fitted to. It does not
// describe a decay.
struct StageCurve {
  double E = 0, B = 0, b = 0, x0 = 0;

  double loss(double x) const;
  // Returns the curve over tokens, x times tokens_per_x (the tokens of a step). Throws Error(usage)
  // as PowerCurve does.
  PowerCurve curve(double tokens_per_x) const;
};

// Returns x of each step: the running sum of rate / peak, including the step itself. From the first
// step at the peak on it is the sum of (rate / peak)^exponent. Requires a peak above 0.
std::vector<double> learning_spent(std::span<const double> rates, double peak, double exponent = 1);

}  // namespace stagedtrain::scaling
