// Which points of a logged loss curve can a law be fitted to? Those near the peak learning rate,
// without warm-up and decay, thinned evenly in the logarithm of the learning rate spent. Spikes are
// dropped later, by fit_curve().
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::scaling {

// One line of a log. `rate` is the learning rate of its step; `loss`, in nats, is the mean over the
// last `steps` steps, including this one.
struct LoggedStep {
  double step = 0, rate = 0, loss = 0, steps = 1;
};

// x is the sum of the learning rates so far, divided by the highest one: the number of steps at the
// peak rate with the same sum.
struct CurvePoint {
  double x = 0, loss = 0;
};

struct CurvePoints {
  std::vector<CurvePoint> points;           // ordered by x, near the peak rate only
  double peak = 0;                          // the highest learning rate
  double warmup = 0;                     // steps until the peak rate is reached; 0: never reached
  double first_step = 0, last_step = 0;  // the steps of the first and the last point
  double last_x = 0;                     // x at last_step
  std::size_t in_warmup = 0, in_decay = 0;  // the numbers of lines that were left out
};

// Returns the points from the first step within 1% of the peak learning rate to the first one below
// 98% of it. `begin` is the step at which this model began to train: 0, or its growth. Between two
// logged steps the rate counts as the mean of both. Before the first one it counts as rising from
// 0. A mean over several steps is placed at their middle. Requires rising steps after begin, rates
// of 0 or more, and finite losses.
CurvePoints near_peak(std::span<const LoggedStep> steps, double begin);

// Returns at most `most` points: the means over bins of equal width in ln x. Requires rising,
// positive x. Fewer points than `most` are returned unchanged.
std::vector<CurvePoint> thinned(std::span<const CurvePoint> points, std::size_t most);

// Estimates a standard deviation without regard to outliers: 1.4826 times the median of |residual|.
// Returns 0 for no residuals.
double robust_deviation(std::span<const double> residuals);

}  // namespace stagedtrain::scaling
