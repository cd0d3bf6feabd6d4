// A logged loss curve made ready for fitting: what warm-up and decay spoil is left out, spikes are
// dropped, and what remains is thinned evenly in the logarithm of the learning rate spent.
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::law {

// A line of a log: rate is the learning rate of its step; loss, in nats, is the mean over the last
// `steps` steps, this one included.
struct LoggedStep {
  double step = 0, rate = 0, loss = 0, steps = 1;
};

// x is the learning rate spent so far over the highest (steps at peak, planning.md's S1).
struct CurvePoint {
  double x = 0, loss = 0;
};

struct CurvePoints {
  std::vector<CurvePoint> points;           // by rising x, near the peak rate only
  double peak = 0;                          // the highest learning rate
  double warmup = 0;                        // steps until the rate is at its peak, 0 for none seen
  double first_step = 0, last_step = 0;     // of the points
  double last_x = 0;                        // at last_step
  std::size_t in_warmup = 0, in_decay = 0;  // steps left out
};

// begin: the step where this model began to train (0, or where it was grown). Before the first
// logged step the rate is taken to rise from 0, which counts half; between two it is the mean of
// both. A mean over several steps stands at their middle. Steps before the peak is reached are left
// out, and all from the first step on whose rate is below 98% of the peak. Requires rising steps
// beyond begin, positive rates and finite losses.
CurvePoints near_peak(std::span<const LoggedStep> steps, double begin);

// At most this many points: the means of bins that are equally wide in ln x.
std::vector<CurvePoint> thinned(std::span<const CurvePoint> points, std::size_t most);

// A standard deviation that outliers do not move: 1.4826 times the median of |residual|.
double robust_deviation(std::span<const double> residuals);

}  // namespace stagedtrain::law
