// Fits Chinchilla's law to the final losses of runs whose learning rate has decayed.
#pragma once

#include <span>
#include <vector>

#include "scaling/chinchilla.h"
#include "statistics/least_squares.h"

namespace stagedtrain::scaling {

// One finished run: all its parameters, its tokens, and its loss after the decay in nats.
struct RunPoint {
  double parameters = 0, tokens = 0, loss = 0;
};

struct ChinchillaFit {
  Chinchilla law;
  double huber = 1e-3, objective = 0, gradient = 0;  // see LeastSquaresFit
  bool converged = false;
  bool pulled = false;            // a parameter was pulled back: the data do not determine the law
  int agreeing = 0, starts = 0;   // how many starts reached the objective, of how many
  std::vector<double> residuals;  // ln(predicted / measured) of each point
  double noise = 0;               // their standard deviation, with 5 degrees of freedom taken off
};

// Minimizes the sum of Huber's loss of ln(predicted / measured); fit_chinchilla.cc describes how.
// `huber` is the delta of that loss. 0 means 1e-3, and for fewer than 50 points at least twice
// their noise. Requires positive numbers. Throws Error(input) for fewer than 6 points, three sizes
// or three numbers of tokens, and as least_squares() does.
ChinchillaFit fit_chinchilla(std::span<const RunPoint> points, double huber = 1e-3);

// Fits similar points from the parameters and with the delta of an earlier fit, as a bootstrap does
// many times. Leaves residuals and noise empty.
ChinchillaFit refit_chinchilla(std::span<const RunPoint> points, const ChinchillaFit& start);

}  // namespace stagedtrain::scaling
