// How does the loss fall with tokens at the critical batch size? Kaplan's scaling law, as Staged
// Training (Shen et al., arXiv 2203.06211) uses it.
#pragma once

#include <cstddef>

#include "scaling/loss_law.h"

namespace stagedtrain::scaling {

// L = (Nc/N)^aN + (Sc/Smin)^aS (Kaplan et al., arXiv 2001.08361, equation 1.6), where N counts
// parameters without embeddings. A run at the critical batch of Bcrit(L) = B*/L^(1/aB) tokens
// (equation 1.4) takes S = 2 Smin steps, so D = 2 Smin Bcrit(L). As in Staged Training, the
// critical batch of the present loss is taken for the whole run so far. With a fixed batch, a
// growth that saves 8.0% by this law would seem to save 13.7%. The law describes runs at a constant
// learning rate, of models of up to 1.5e9 parameters; it does not describe a decay. The constants
// are those of the notebooks of allenai/staged-training.
struct Kaplan {
  double Nc = 8.8e13, aN = 0.076;
  double Sc = 2.1e3, aS = 0.76;
  double critical = 2.1e8, aB = 0.21;

  // Returns (Nc/N)^aN, the loss that a size approaches when it trains forever.
  double floor(double parameters) const;
};

// The curve of one size; tokens are those of the critical batch.
class KaplanCurve final : public LossCurve {
 public:
  // Throws Error(usage) unless parameters is positive.
  KaplanCurve(const Kaplan& law, double parameters);
  double loss(double tokens) const override;
  double tokens(double loss) const override;
  double tokens_slope(double loss) const override;
  double floor() const override { return floor_; }

 private:
  Kaplan law_;
  double floor_;
};

}  // namespace stagedtrain::scaling
