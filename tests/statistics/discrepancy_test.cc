// Tilts of laws beyond their largest size: what a fit's own uncertainty accounts for is none.
#include "statistics/discrepancy.h"

#include <cmath>

#include "statistics/bootstrap.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

namespace {

// Runs whose errors grow with their distance; the samples of the fit differ by so much for each unit of
// distance.
std::vector<HeldOutRun> runs_with(double tilt, double of_samples) {
  std::vector<HeldOutRun> runs;
  for (const double distance : {.5, 1.0, 1.5, 2.0, .7, 1.2, 1.7, 2.2})
    runs.push_back({distance, tilt * distance, {-of_samples * distance, of_samples * distance}});
  return runs;
}

// Half of the 80% interval.
double half_width(std::span<const Tilt> tilts) {
  const Interval found = interval(tilt_draws(tilts, 4000, 1));
  return (found.high - found.low) / 2;
}

}  // namespace

TEST_CASE("a tilt comes back from errors that grow with distance, one wild run or not") {
  std::vector<HeldOutRun> runs = runs_with(.02, .01);
  CHECK(tilt_of(runs, .003).value == Approx(.02).epsilon(1e-9));
  runs[2].error += 1;
  CHECK(tilt_of(runs, .003).value == Approx(.02).margin(.002));
}

TEST_CASE("a tilt's error is that of noise and of the fit's samples") {
  // Two samples at +-.01: a variance of 2 * .01^2 with one degree of freedom.
  const Tilt tilt = tilt_of(runs_with(.02, .01), .003);
  double squares = 0;
  for (const HeldOutRun& run : runs_with(0, 0)) squares += run.distance * run.distance;
  CHECK(tilt.error == Approx(std::sqrt(2 * .01 * .01 + .003 * .003 / squares)).epsilon(1e-9));
}

TEST_CASE("the draws of tilts are a function of their seed, and as wide as held-out runs say") {
  CHECK(tilt_draws({}, 50, 3) == tilt_draws({}, 50, 3));
  CHECK(tilt_draws({}, 50, 3) != tilt_draws({}, 50, 4));
  const double before = half_width({});
  CHECK(before == Approx(kPriorTilt).epsilon(.2));
  const std::vector<Tilt> none(4, {0, .001}), some(4, {.02, .003}), blurred(4, {.02, .05});
  CHECK(half_width(none) < .3 * before);
  CHECK(half_width(some) > 1.6 * before);
  CHECK(half_width(blurred) == Approx(before).epsilon(.15));  // noise explains it: nothing is learnt
}

TEST_CASE("a tilt bends a law beyond its largest size alone") {
  CHECK(tilt_factor(.02, 1e9, 1e9) == 1);
  CHECK(tilt_factor(.02, 1e6, 1e9) == 1);
  CHECK(tilt_factor(.02, 1e10, 1e9) == Approx(std::pow(10, .02)));
}
