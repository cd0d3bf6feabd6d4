// How far is a law off at the end of a run, judging by the ends of the runs that it was fitted to?
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::scaling {

// What decides how far a law is off at the end of a run: the size of the model, the length of the
// run, and how far and how long the learning rate fell.
struct RunShape {
  double parameters = 0, tokens = 0;
  double fall = 0;  // the mean over the run's tokens of 1 - rate / peak, without the warm-up
};

// A joint law is a compromise over all logged losses of all its runs. Where its form is not quite
// right, it misses the ends of runs by an amount that depends on their shape: a law of straight
// decays and cosines together, for instance, may be 1% too high for the former. But the ends of
// decayed runs are what a plan asks for, and the fit has seen some. So the relative miss, ln
// (measured / predicted), is taken to be a Gaussian process over shapes with the covariance
//   spread^2 exp(-(d ln tokens)^2 / 2 u^2 - (d ln parameters)^2 / 2 v^2 - (d fall)^2 / 2 w^2)
// plus the scatter of single runs. Its mean at the shape of another run corrects the prediction,
// and its variance there says how much remains unknown. Far from all runs nothing is corrected.
// (Kennedy and O'Hagan, 2001, call such a process the model's discrepancy.)
class EndCorrection {
 public:
  // The standard deviation of the law's own misses, relative to the loss.
  static constexpr double kSpread = 0.01;

  EndCorrection() = default;
  // `scatter` is the standard deviation of one run's ln loss.
  EndCorrection(std::vector<RunShape> runs, double scatter);

  struct Weights {
    std::vector<double> of_runs;  // the correction of ln loss is the sum of weight * miss
    double unknown = 1;           // the share of spread^2 that the runs leave
  };
  // Returns the weights of the runs' misses for a run of this shape. They do not depend on the
  // misses, so all samples of a law share them.
  Weights at(const RunShape& run) const;

 private:
  std::vector<RunShape> runs_;
  double noise_ = 0;  // variance of a run's scatter, in units of spread^2
};

// Returns the factor by which the loss is multiplied.
double corrected(const EndCorrection::Weights& weights, std::span<const double> misses);

}  // namespace stagedtrain::scaling
