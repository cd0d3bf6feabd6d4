// How the loss of one model size falls with tokens, and a family of sizes with their costs.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace stagedtrain::law {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The loss of one size along its own run from scratch: a strictly falling function of the tokens
// seen, with its inverse. Losses are in nats. Tokens may stand for anything that adds up along a
// run (steps, steps of peak learning rate) as long as Size::cost is per the same unit.
class LossCurve {
 public:
  virtual ~LossCurve() = default;
  virtual double loss(double tokens) const = 0;
  // The inverse; infinity at the floor and below it, 0 at the start and above it.
  virtual double tokens(double loss) const = 0;
  // dD/dL at a loss above the floor: negative, tokens for a nat.
  virtual double tokens_slope(double loss) const = 0;
  // What the loss never falls below, and where it starts (may be infinity).
  virtual double floor() const = 0;
  virtual double start() const { return kInfinity; }

  // d ln L / d ln C at a loss, along this size alone (its cost per token cancels).
  double log_slope(double loss) const { return tokens(loss) / (loss * tokens_slope(loss)); }
};

// A model size as planning sees it.
struct Size {
  std::string name;
  double cost = 0;  // of one token: FLOPs, seconds or money, but the same for all sizes
  std::shared_ptr<const LossCurve> curve;
};
// Smallest first.
using Family = std::vector<Size>;

}  // namespace stagedtrain::law
