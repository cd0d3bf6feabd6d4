// The interface of a loss curve (how the loss of one model size falls with tokens), and families of
// sizes with their costs.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace stagedtrain::scaling {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The loss of one size along a run from scratch: a strictly falling function of the tokens seen,
// with its inverse. Losses are in nats. "Tokens" may be any quantity that adds up along a run
// (steps, or steps at the peak learning rate), as long as Size::cost is for the same unit.
class LossCurve {
 public:
  virtual ~LossCurve() = default;
  virtual double loss(double tokens) const = 0;
  // The inverse. Returns infinity at the floor and below it, and 0 at the start and above it.
  virtual double tokens(double loss) const = 0;
  // Returns dD/dL in tokens per nat, a negative number. Requires a loss above the floor.
  virtual double tokens_slope(double loss) const = 0;
  // The asymptote of the loss, and the loss at 0 tokens (may be infinity).
  virtual double floor() const = 0;
  virtual double start() const { return kInfinity; }

  // Returns d ln L / d ln C of this size at a loss, where C is its compute. The cost of a token
  // cancels, so this is also d ln L / d ln D.
  double log_slope(double loss) const { return tokens(loss) / (loss * tokens_slope(loss)); }
};

// A model size with all that the choice of stages needs to know.
struct Size {
  std::string name;
  double cost = 0;  // the cost of a token in FLOPs, seconds or money; one unit for all sizes
  std::shared_ptr<const LossCurve> curve;
};
// Sizes in order, smallest first. The last is the final size.
using Family = std::vector<Size>;

}  // namespace stagedtrain::scaling
