// Chinchilla's law: the loss at the decayed end of a run, from parameters and tokens.
#pragma once

#include <vector>

#include "law/power_curve.h"

namespace stagedtrain::law {

// L(N, D) = E + A N^-a + B D^-b, N counting all parameters. Valid for final losses: each D is a
// run of its own whose learning rate has come down. Along one run the loss before the decay is
// higher by the decay's drop (0.06 to 0.10 nats), which this law does not know.
struct Chinchilla {
  double E = 0, A = 0, B = 0, a = 0, b = 0;

  double loss(double parameters, double tokens) const;
  // The curve of one size.
  PowerCurve curve(double parameters) const;
};

// Constants with a name and where they are from.
struct ChinchillaConstants {
  const char* name;
  const char* source;
  Chinchilla law;
};
const std::vector<ChinchillaConstants>& chinchilla_constants();

}  // namespace stagedtrain::law
