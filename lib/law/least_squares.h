// Robust non-linear least squares for a few parameters: Levenberg and Marquardt's method with
// Huber's loss.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace stagedtrain::law {

// Fills residuals, and the Jacobian (a row for each residual, d residual / d parameter), at the
// parameters given. Values that are not finite mark a place that cannot be.
using Residuals = std::function<void(std::span<const double> parameters,
                                     std::span<double> residuals, std::span<double> jacobian)>;

struct LeastSquaresOptions {
  double huber = 1e-3;  // residuals beyond it count linearly
  int most_steps = 300;
  double tolerance = 1e-9;  // of the gradient, see below
};

// gradient: the largest cosine between a column of the Jacobian and the residuals (both weighted),
// a number without a unit; 0 at a minimum, and where the residuals are no more than rounding.
struct LeastSquaresFit {
  std::vector<double> parameters;
  double objective = 0;  // sum of Huber's loss: r^2 / 2, beyond delta delta (|r| - delta / 2)
  double gradient = 0;
  int steps = 0;
  bool converged = false;  // gradient <= tolerance
};

double huber_loss(double residual, double delta);

// Whether an objective of so many residuals is the best one, but for rounding and the last steps.
bool same_minimum(double objective, double best, std::size_t count);

// Descends from start. Requires at least one residual. Throws Error(input) if those at the start
// are not finite.
LeastSquaresFit least_squares(const Residuals& residuals, std::size_t count,
                              std::vector<double> start, const LeastSquaresOptions& options);

}  // namespace stagedtrain::law
