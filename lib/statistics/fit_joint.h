// Fits the joint law to runs of several sizes, and says how sure it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scaling/joint_law.h"

namespace stagedtrain::law {

struct JointPoint {
  double x = 0, area = 0, loss = 0;  // x in tokens; area in steps
  bool training = true;              // a training loss; otherwise one of the validation set
};

// What one initialisation and one order of the data gave; runs that branch share theirs.
struct JointRun {
  double parameters = 0;  // without embeddings
  std::vector<JointPoint> points;
};

struct JointFitOptions {
  double offset_spread = 0;  // tokens that x0 is likely to lie within, 0: a tenth of a run
  int resamples = 200;
  std::uint64_t seed = 1;
  RateResponse response;  // with which x and area of the points were computed
};

// How the loss of a class of points (training, validation) scatters around its run's law.
struct JointNoise {
  double deviation = 0;    // of ln(predicted / measured), robust
  double correlation = 0;  // of neighbours
};

struct JointFit {
  JointLaw law;  // of validation losses if there are any, else of training losses
  std::vector<JointLaw> samples;
  // Standard deviation of the runs' offsets, ln(predicted / measured): how two seeds of a size
  // differ; and the degrees of freedom that it is known with.
  double scatter = 0, freedom = 0;
  double gap = 0;  // ln(training loss / validation loss), of all runs
  JointNoise training, validation;
  bool decayed = false;  // some point has an annealing area; else C is 0
  std::size_t sizes = 0, points = 0;
  double objective = 0, gradient = 0;
  // -ln(likelihood) but for a constant, by which fits to the same losses with another response
  // compare. Neighbours that are alike count as fewer points.
  double misfit = 0;
  bool converged = false;
};

// What is known before any run. Without it three sizes do not fix an exponent in N, and two leave it
// undetermined: then the interval of a larger size is as wide as this prior makes it.
inline constexpr double kPriorExponent = 0.34;  // published fits of Chinchilla's law: .339 and .348
inline constexpr double kPriorExponentSpread = 0.4;  // of ln a: a factor of 1.5
inline constexpr double kPriorScatter = 0.0025;      // of ln loss, between seeds
inline constexpr double kPriorScatterFreedom = 4;

// Every residual is ln(predicted / measured) over its class's noise, with Huber's loss beyond two of
// them; each run has an offset of its own, which costs as its scatter is likely. Noise and scatter
// are estimated along with the law (the scatter by expectation maximisation). The sums run over runs
// and points as given, so a fit gives the same bits again. samples are fits to
// residuals with noise added, more of it where neighbouring residuals are alike and where few runs
// tell the scatter. None is left out for slow convergence: along the flattest directions, which make
// the interval, a fit is slowest. Requires two sizes or more, five points or more in all, positive x
// and losses.
JointFit fit_joint(std::span<const JointRun> runs, const JointFitOptions& options = {});

// Half of the 80% interval of a normal distribution, in standard deviations.
inline constexpr double kNormal80 = 1.2816;
// What makes an interval of a normal distribution one of Student's t, at 80%.
double student_widening(double freedom);

}  // namespace stagedtrain::law
