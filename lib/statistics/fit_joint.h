// Which joint law fits runs of several sizes best, and how certain is it?
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scaling/joint_law.h"

namespace stagedtrain::scaling {

struct JointPoint {
  double x = 0, area = 0, loss = 0;  // x in tokens; area in steps
  bool training = true;              // a training loss; otherwise one of the validation set
};

// The points of one initialisation and one order of the data. Branches of a run are part of it.
struct JointRun {
  double parameters = 0;  // without embeddings
  std::vector<JointPoint> points;
};

struct JointFitOptions {
  double offset_spread = 0;  // the likely distance of x0 from 0; 0: JointLaw::tokens / 10
  int resamples = 200;
  std::uint64_t seed = 1;
  RateResponse response;  // x and area of the points were computed with it
};

// How the loss of a class of points (training, validation) scatters around its run's law.
struct JointNoise {
  double deviation = 0;    // robust deviation of ln(predicted / measured)
  double correlation = 0;  // correlation of neighbours
};

struct JointFit {
  JointLaw law;  // predicts validation losses if there are any, else training losses
  std::vector<JointLaw> samples;
  // The standard deviation of the runs' offsets in ln(predicted / measured), which is how much two
  // seeds of a size differ, and the degrees of freedom with which it is known.
  double scatter = 0, freedom = 0;
  double gap = 0;  // ln(training loss / validation loss), the same for all runs
  JointNoise training, validation;
  bool decayed = false;  // whether a point has an annealing area; otherwise C is 0
  std::size_t sizes = 0, points = 0;
  double objective = 0, gradient = 0;
  // -ln(likelihood) up to a constant, to compare fits to the same losses with different responses.
  // Correlated neighbours count as fewer points.
  double misfit = 0;
  bool converged = false;
};

// The priors. Three sizes alone hardly determine an exponent in N, and two do not at all: the
// interval of a larger size is then as wide as the prior makes it.
inline constexpr double kPriorExponent = 0.34;  // published fits of Chinchilla's law: .339 and .348
inline constexpr double kPriorExponentSpread = 0.4;  // spread of ln a: a factor of 1.5
inline constexpr double kPriorScatter = 0.0025;      // spread of ln loss between seeds
inline constexpr double kPriorScatterFreedom = 4;

// Fits the joint law. Every residual is ln(predicted / measured) divided by the noise of its class,
// with Huber's loss beyond two. Each run has an offset, whose prior is normal with the scatter as
// its standard deviation. Noise and scatter are estimated along with the law (the scatter by
// expectation maximisation). Sums run over runs and points in the given order, so the same input
// gives the same bits. JointFit::samples are fits to residuals with noise added, more of it where
// neighbouring residuals are correlated and where few runs determine the scatter. Slow convergence
// excludes none of them, because fits are slowest along the flattest directions, which determine
// the interval. Requires at least two sizes and five points in all, and positive x and losses.
JointFit fit_joint(std::span<const JointRun> runs, const JointFitOptions& options = {});

// Half of the 80% interval of a normal distribution, in standard deviations.
inline constexpr double kNormal80 = 1.2816;
// Returns the factor that widens an 80% interval of a normal distribution to one of Student's t.
double student_widening(double freedom);

}  // namespace stagedtrain::scaling
