// Kaplan's law with its critical batch size, as Staged Training used it.
#pragma once

#include <cstddef>

#include "law/loss_law.h"

namespace stagedtrain::law {

// L = (Nc/N)^aN + (Sc/Smin)^aS, N without embeddings; trained at the critical batch of its loss,
// Bcrit = B*/L^(1/aB) tokens, in S = 2 Smin steps: D = 2 Smin Bcrit(L). It takes the critical batch
// of the present loss for the whole past, as the paper did; a fixed batch would promise 13.7 %
// where this promises 8.0 %. Constant rate, up to 1.5e9 parameters; nothing is known of a decay.
// Constants: Kaplan et al. 2020 (arXiv 2001.08361), as in allenai/staged-training's notebooks.
struct Kaplan {
  double Nc = 8.8e13, aN = 0.076;
  double Sc = 2.1e3, aS = 0.76;
  double critical = 2.1e8, aB = 0.21;

  // (Nc/N)^aN, the loss of a size after endless training.
  double floor(double parameters) const;
  // d ln L / d ln C where a size is best for its compute: -1 / (1/aS + 1/aB + 1/aN).
  double best_slope() const;
  // Where such training ends, as a multiple of the floor: 1 + aN/aS.
  double best_end() const;
};

class KaplanCurve final : public LossCurve {
 public:
  KaplanCurve(const Kaplan& law, double parameters);
  double loss(double tokens) const override;
  double tokens(double loss) const override;
  double tokens_slope(double loss) const override;
  double floor() const override { return floor_; }

 private:
  Kaplan law_;
  double floor_;
};

}  // namespace stagedtrain::law
