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
  int agreeing = 0, starts = 0;  // starts that reached the objective, of those tried
};

// Minimises Huber's loss of ln(predicted / measured), summed. Starts come from a grid over the
// exponents with the rest linear. Throws Error(input) for fewer than 6 points or for points that
// do not fix the law (one size, or one number of tokens).
ChinchillaFit fit_chinchilla(std::span<const RunPoint> points, double huber = 1e-3);

// The same from one start, for data that differ little: what a bootstrap repeats.
ChinchillaFit refit_chinchilla(std::span<const RunPoint> points, const ChinchillaFit& start);

}  // namespace stagedtrain::law
