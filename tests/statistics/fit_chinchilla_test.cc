// Chinchilla's law from points: a law comes back from its own points, and too few are refused.
#include "statistics/fit_chinchilla.h"

#include "base/rng.h"
#include "statistics/bootstrap.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

namespace {

const Chinchilla kLaw{1.8, 480, 2100, .35, .37};

std::vector<RunPoint> made_points(double noise) {
  const CounterRng rng(3, 0);
  std::vector<RunPoint> points;
  for (double n : {1e7, 3e7, 1e8, 3e8, 1e9})
    for (double d : {1e8, 5e8, 2e9, 1e10, 4e10})
      points.push_back({n, d, kLaw.loss(n, d) * (1 + noise * rng.normal(points.size()))});
  return points;
}

}  // namespace

TEST_CASE("a law comes back from its own points") {
  const ChinchillaFit fit = fit_chinchilla(made_points(0));
  CHECK(fit.converged);
  CHECK(fit.agreeing >= 2);
  CHECK(fit.law.E == Approx(kLaw.E).epsilon(1e-6));
  CHECK(fit.law.A == Approx(kLaw.A).epsilon(1e-4));
  CHECK(fit.law.B == Approx(kLaw.B).epsilon(1e-4));
  CHECK(fit.law.a == Approx(kLaw.a).epsilon(1e-6));
  CHECK(fit.law.b == Approx(kLaw.b).epsilon(1e-6));
}

TEST_CASE("one wild run does not move the law") {
  std::vector<RunPoint> points = made_points(1e-4);
  const double E = fit_chinchilla(points).law.E;
  points[7].loss *= 1.5;
  CHECK(fit_chinchilla(points).law.E == Approx(E).epsilon(0.01));
}

TEST_CASE("bootstraps are the same for a seed and lie around the fit") {
  const std::vector<RunPoint> points = made_points(1e-3);
  const ChinchillaFit fit = fit_chinchilla(points);
  const auto once = bootstrap_chinchilla(points, fit, {.resamples = 60});
  const auto again = bootstrap_chinchilla(points, fit, {.resamples = 60});
  const auto other = bootstrap_chinchilla(points, fit, {.resamples = 60, .seed = 2});
  REQUIRE(once.size() >= 55);
  CHECK(once[5].E == again[5].E);
  CHECK(once[5].E != other[5].E);
  std::vector<double> E;
  for (const Chinchilla& law : once) E.push_back(law.E);
  const Interval found = interval(E);
  CHECK(found.low < fit.law.E);
  CHECK(found.high > fit.law.E);
}

TEST_CASE("points that do not fix the law are refused") {
  std::vector<RunPoint> points = made_points(0);
  for (RunPoint& point : points) point.parameters = 1e8;
  const std::string says = test::refusal(ErrorKind::input, [&] { fit_chinchilla(points); });
  INFO(says);
  CHECK(test::contains(says, "25 runs of 1 sizes"));
  points.resize(4);
  test::refusal(ErrorKind::input, [&] { fit_chinchilla(points); });
}
