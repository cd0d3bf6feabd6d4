// How wrong may a law be beyond the largest size that it was fitted to?
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::scaling {

// The runs that a law was fitted to do not show whether losses bend away from it beyond them,
// because its parameters follow a slow bend. Laws fitted to the smaller sizes alone do show it, by
// how far they miss the larger sizes of the same runs. So beyond the largest size N_max, the loss
// of a size N is taken to be
//   L(N, D) (N / N_max)^tilt,
// where the tilt is normal around 0. Its standard deviation is estimated from the tilts of the laws
// of smaller sizes, as that of a random effect: the part of a tilt that noise and the uncertainty
// of the law's own parameters explain does not count. (Kennedy and O'Hagan, 2001, call this the
// model's discrepancy.)

// A run of a larger size than those that some law was fitted to.
struct HeldOutRun {
  double distance = 0;          // ln(its parameters / the largest of the fit), above 0
  double error = 0;             // ln(measured / predicted)
  std::vector<double> samples;  // ln(predicted by each of the fit's samples / predicted)
};

// The tilt of one law. `error` is the standard deviation that the value has if the law is right.
struct Tilt {
  double value = 0, error = 0;
};

// Returns the tilt of one law, a regression of errors on distances that is robust to single runs.
// `scatter` is the standard deviation of one run's ln loss around a law. Requires at least one run,
// and in each the same number of samples, two or more.
Tilt tilt_of(std::span<const HeldOutRun> runs, double scatter);

// The prior of the tilts' standard deviation is half-normal with this scale: a size ten times the
// largest is then off by some 2% of its loss. It was chosen by simulated runs (of laws that are
// right, that bend, and whose sizes are each a little off) and by Chinchilla's larger runs
// (docs/planning.md has the tables), so these are no independent check of it.
inline constexpr double kPriorTilt = 0.01;

// Draws `count` tilts that a law may have beyond all of its runs. Each is normal, with a standard
// deviation drawn from its posterior given `tilts`, those of laws of smaller sizes. As these laws
// share runs, each counts for half an observation. The result is a pure function of the arguments.
std::vector<double> tilt_draws(std::span<const Tilt> tilts, std::size_t count, std::uint64_t seed);

// Returns the factor by which a tilt multiplies the loss of a size.
double tilt_factor(double tilt, double parameters, double largest);

}  // namespace stagedtrain::scaling
