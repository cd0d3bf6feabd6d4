// The multi-power law: the loss after any course of the learning rate, decays included.
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::law {

// Luo et al. 2025 (arXiv 2503.12811):
//   L(s) = L0 + A S(s)^-alpha + B sum_k (r_k - r_(k-1)) (1 - (1 + C r_k^-gamma X)^-beta),
// S(s) the sum of the rates r up to step s, X = S(s) - S(k-1), k over the steps up to s. A falling
// rate takes loss away, and the drop saturates. Its seven values need a run of two rates (WSD-con)
// besides the plain ones to be told apart; even then it overshoots the drop of a decay by .01 to
// .02 nats. Good for shapes of the rate, not for planning a growth.
struct MultiPower {
  double L0 = 0, A = 0, alpha = 0, B = 0, C = 0, beta = 0, gamma = 0;

  // rates of every step from the first; the loss after each step asked for (0 is the first one,
  // whose loss is infinite where its rate is 0).
  std::vector<double> losses(std::span<const double> rates,
                             std::span<const std::size_t> steps) const;
};

}  // namespace stagedtrain::law
