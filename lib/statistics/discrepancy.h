// How far a law may be wrong beyond the largest size that it was fitted to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::law {

// The losses of the runs that a law was fitted to do not show that it bends off beyond them: its
// parameters follow a slow bend. Laws of the smaller sizes alone show it, by how they miss the larger
// ones among the same runs. So beyond the largest size N_max the loss of a size N is taken to be
//   L(N, D) (N / N_max)^tilt,
// where the tilt is normal around 0. Its standard deviation is learnt from the tilts that laws of
// smaller sizes had, as that of a random effect: what noise and the uncertainty of their own
// parameters account for is no tilt. (Kennedy and O'Hagan, 2001, call it the model's discrepancy.)

// A run of a larger size than those that some law was fitted to.
struct HeldOutRun {
  double distance = 0;          // ln(its parameters / the largest of the fit), above 0
  double error = 0;             // ln(measured / predicted)
  std::vector<double> samples;  // ln(predicted by each of the fit's samples / predicted)
};

// error: the standard deviation that it has if the law is right.
struct Tilt {
  double value = 0, error = 0;
};

// Of one law: errors against distances, robust to single runs. scatter: the standard deviation of one
// run's ln loss around a law. Requires a run or more, each with equally many samples, two or more.
Tilt tilt_of(std::span<const HeldOutRun> runs, double scatter);

// Before any run, the standard deviation of tilts is half-normal with this scale: a size ten times the
// largest is then off by some 2% of its loss. Chosen with simulated runs of laws that are right, that
// bend, and whose sizes are each a little off, and with Chinchilla's larger runs in view (docs/planning.md
// has the tables), so these are no independent check of it.
inline constexpr double kPriorTilt = 0.01;

// Tilts that a law may have beyond all of its runs: normal, each with a standard deviation drawn from
// what the tilts of laws of smaller sizes leave possible. As these laws share smaller and larger runs,
// each counts for half an observation. A function of (tilts, count, seed).
std::vector<double> tilt_draws(std::span<const Tilt> tilts, std::size_t count, std::uint64_t seed);

// What a tilt multiplies the loss of a size with.
double tilt_factor(double tilt, double parameters, double largest);

}  // namespace stagedtrain::law
