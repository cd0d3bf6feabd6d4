// Which parameters minimize Huber's loss of given residuals? Levenberg-Marquardt for a few
// parameters. A library such as Ceres would bring some 27 packages for the few parameters of a law.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace stagedtrain::scaling {

// Fills in the residuals and the Jacobian (one row for each residual, d residual / d parameter) at
// the given parameters. Values that are not finite mean that these parameters are impossible.
using Residuals = std::function<void(std::span<const double> parameters,
                                     std::span<double> residuals, std::span<double> jacobian)>;

struct LeastSquaresOptions {
  double huber = 1e-3;  // residuals beyond it count linearly
  int most_steps = 300;
  double tolerance = 1e-9;  // for LeastSquaresFit::gradient
};

// `gradient` is the largest cosine between a column of the Jacobian and the residuals, both
// weighted. It has no unit, and is 0 at a minimum and where the residuals are rounding errors.
struct LeastSquaresFit {
  std::vector<double> parameters;
  double objective = 0;  // the sum of huber_loss() over the residuals
  double gradient = 0;
  int steps = 0;
  bool converged = false;  // gradient <= tolerance
};

// Returns r^2 / 2 for |r| up to delta, and delta (|r| - delta / 2) beyond.
double huber_loss(double residual, double delta);

// Whether an objective over `count` residuals equals the best one, up to rounding and the last
// steps of a descent.
bool same_minimum(double objective, double best, std::size_t count);

// Descends from `start`. `count` is the number of residuals, at least 1. Throws Error(input) if the
// residuals at the start are not finite. A signal that asks the program to stop ends it here.
LeastSquaresFit least_squares(const Residuals& residuals, std::size_t count,
                              std::vector<double> start, const LeastSquaresOptions& options);

}  // namespace stagedtrain::scaling
