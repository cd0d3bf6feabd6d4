// Intervals of curves, and refits to their first parts.
#include "statistics/bootstrap.h"

#include "support/catch.h"
#include "support/fixture_curve.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

TEST_CASE("an interval holds the middle four fifths") {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  CHECK(interval(values).low == 10);
  CHECK(interval(values).high == 90);
  CHECK(interval({3}).low == 3);
}

TEST_CASE("bootstraps of a curve are the same for a seed") {
  const CurveFit fit = fit_curve(test::noisy_curve(.2, 1, 5e-4, 1), {.offset_spread = .05});
  const auto once = bootstrap_curve(fit, .05, {.resamples = 20});
  REQUIRE(once.size() == 20);
  CHECK(once[7].E == bootstrap_curve(fit, .05, {.resamples = 20})[7].E);
  CHECK(once[7].E != bootstrap_curve(fit, .05, {.resamples = 20, .seed = 2})[7].E);
}

TEST_CASE("80% intervals of white noise hold the truth in about 80 of 100 logs", "[T12]") {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const CurveFit fit = fit_curve(test::noisy_curve(.2, 2, 5e-4, seed), {.offset_spread = .05});
    std::vector<double> losses;
    for (const StageCurve& law : bootstrap_curve(fit, .05, {.resamples = 60}))
      losses.push_back(law.loss(4));
    const Interval found = interval(losses);
    held += found.low <= test::kCurve100M.loss(4) && test::kCurve100M.loss(4) <= found.high;
  }
  CHECK(held >= 42);  // 70%
  CHECK(held <= 54);  // 90%
}

TEST_CASE("refits to the first half and to 70% say how well they predict the end") {
  const auto points = test::noisy_curve(.2, 2, 5e-4, 1);
  const auto fits = prefix_fits(points, {.offset_spread = .05});
  REQUIRE(fits.size() == 3);
  CHECK(fits[0].share == 0.5);
  CHECK(std::fabs(fits[0].error) < 0.03);
  CHECK(std::fabs(fits[2].error) < 0.002);
  CHECK(fits[0].fit.points.back().x <= 1);
  CHECK(prefix_fits(std::span(points).first(5), {}).empty());
}
