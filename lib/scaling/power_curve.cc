// Evaluates the power law with a floor; loss, tokens and slope are in closed form.
#include "scaling/power_curve.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace stagedtrain::scaling {

PowerCurve::PowerCurve(double floor, double scale, double exponent, double offset)
    : floor_(floor), scale_(scale), exponent_(exponent), offset_(offset) {
  const bool good = std::isfinite(floor) && std::isfinite(offset) && std::isfinite(scale) &&
                    std::isfinite(exponent) && scale > 0 && exponent > 0;
  if (!good)
    throw usage_error(
        "loss curve {} + {} (x + {})^-{}, expected finite numbers, the scale and the "
        "exponent above 0",
        floor, scale, offset, exponent);
}

double PowerCurve::loss(double tokens) const {
  const double x = tokens + offset_;
  return x > 0 ? floor_ + scale_ * std::pow(x, -exponent_) : kInfinity;
}

double PowerCurve::tokens(double loss) const {
  if (loss <= floor_) return kInfinity;
  return std::max(0.0, std::pow(scale_ / (loss - floor_), 1 / exponent_) - offset_);
}

double PowerCurve::tokens_slope(double loss) const {
  return -std::pow(scale_ / (loss - floor_), 1 / exponent_) / (exponent_ * (loss - floor_));
}

double PowerCurve::start() const { return loss(0); }

}  // namespace stagedtrain::scaling
