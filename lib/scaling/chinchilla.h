// Which loss does a run end with, given its parameters and tokens? Chinchilla's scaling law.
#pragma once

#include <vector>

#include "scaling/power_curve.h"

namespace stagedtrain::scaling {

// L(N, D) = E + A N^-a + B D^-b in nats, where N counts all parameters and D tokens (Hoffmann et
// al., arXiv 2203.15556, section 3.3). The law describes final losses: every D is a run of its own
// whose learning rate has decayed. Within one run, the loss before the decay is 0.06 to 0.10 nats
// higher than the law says.
struct Chinchilla {
  double E = 0, A = 0, B = 0, a = 0, b = 0;

  double loss(double parameters, double tokens) const;
  // Returns the loss curve of one size. Throws Error(usage) as PowerCurve does.
  PowerCurve curve(double parameters) const;
};

// Published constants, with the name that selects them and their source.
struct ChinchillaConstants {
  const char* name;
  const char* source;
  Chinchilla law;
};
// The first entry is the default.
const std::vector<ChinchillaConstants>& chinchilla_constants();

}  // namespace stagedtrain::scaling
