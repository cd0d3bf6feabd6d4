// Evaluates a stage's fitted curve, and converts it into a curve over tokens.
#include "scaling/stage_curve.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::scaling {

double StageCurve::loss(double x) const { return E + B * std::pow(x + x0, -b); }

// With t tokens and u tokens per x, B (t/u + x0)^-b = B u^b (t + x0 u)^-b.
PowerCurve StageCurve::curve(double tokens_per_x) const {
  return PowerCurve(E, B * std::pow(tokens_per_x, b), b, x0 * tokens_per_x);
}

std::vector<double> learning_spent(std::span<const double> rates, double peak, double exponent) {
  ST_CHECK(peak > 0, "the peak learning rate is {}", peak);
  std::vector<double> spent;
  double sum = 0;
  bool risen = false;
  for (double rate : rates) {
    risen |= rate >= peak;
    spent.push_back(sum += risen && exponent != 1 ? std::pow(rate / peak, exponent) : rate / peak);
  }
  return spent;
}

}  // namespace stagedtrain::scaling
