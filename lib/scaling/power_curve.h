// The power law with a floor: the loss curve of one size under most scaling laws.
#pragma once

#include "scaling/loss_law.h"

namespace stagedtrain::scaling {

// L(x) = E + B (x + offset)^-b: one size of Chinchilla's law, or the fitted curve of a stage. A
// negative offset stands for tokens that the warm-up lost; up to them the loss is infinity.
class PowerCurve final : public LossCurve {
 public:
  // Throws Error(usage) unless B and b are positive and all are finite.
  PowerCurve(double floor, double scale, double exponent, double offset = 0);
  double loss(double tokens) const override;
  double tokens(double loss) const override;
  double tokens_slope(double loss) const override;
  double floor() const override { return floor_; }
  double start() const override;
  double scale() const { return scale_; }
  double exponent() const { return exponent_; }
  double offset() const { return offset_; }

 private:
  double floor_, scale_, exponent_, offset_;
};

}  // namespace stagedtrain::scaling
