// Fits Chinchilla's law to the ends of decayed runs.
#pragma once

#include <span>
#include <vector>

#include "law/chinchilla.h"
#include "law/least_squares.h"

namespace stagedtrain::law {

// One finished run: parameters, tokens, and its decayed loss in nats.
struct RunPoint {
  double parameters = 0, tokens = 0, loss = 0;
};

struct ChinchillaFit {
  Chinchilla law;
  double huber = 1e-3, objective = 0, gradient = 0;
  bool converged = false;
  bool pulled = false;           // a parameter would have run away: the data do not fix the law
  int agreeing = 0, starts = 0;  // starts that reached the objective, of those tried
  std::vector<double> residuals;  // ln(predicted / measured) of the points
  double noise = 0;  // of one run: standard deviation of these, for the degrees of freedom left
};

// Minimises Huber's loss of ln(predicted / measured), summed. Starts come from a grid over the
// exponents with the rest linear. huber 0: 1e-3; for fewer than 50 runs at least twice their noise.
// Exponents beyond .1 to 1 and a floor near 0 are pulled back. Throws Error(input) for fewer than 6
// points, or for fewer than three sizes or three numbers of tokens.
ChinchillaFit fit_chinchilla(std::span<const RunPoint> points, double huber = 1e-3);

// The same from one start, for data that differ little: what a bootstrap repeats.
ChinchillaFit refit_chinchilla(std::span<const RunPoint> points, const ChinchillaFit& start);

}  // namespace stagedtrain::law
