// The stage's curve from its points: exact points, spikes, noise (T12 of planning.md), short logs.
#include "statistics/fit_curve.h"

#include <algorithm>

#include "support/catch.h"
#include "support/fixture_curve.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

namespace {

constexpr double kGrowth = .81917257,
                 kTokensSaved = .12207213;                  // 100M -> 400M at a cost ratio of 1/4
constexpr double kWarmup = .216;                            // 2,160 steps, which count half

// What growing at x is worth, by a belief about the small model's curve.
double tokens_saved(const StageCurve& small, double x) {
  const StageCurve& big = test::kCurve400M;
  return std::pow(big.B / (small.loss(x) - big.E), 1 / big.b) - x / 4;
}

double best_growth(const StageCurve& small) {
  double best = 0.1;
  for (double x = 0.1; x < 3; x *= 1.003)
    if (tokens_saved(small, x) > tokens_saved(small, best)) best = x;
  return best;
}

}  // namespace

TEST_CASE("a curve comes back from its own points, with its offset") {
  for (const StageCurve& law : {StageCurve{2.8, 36, .5, 200}, StageCurve{3.1, 20, .45, -300},
                                StageCurve{1.2, 400, .8, 0}}) {
    std::vector<CurvePoint> points;
    for (int i = 0; i < 150; ++i) points.push_back({1000 + 100.0 * i, law.loss(1000 + 100.0 * i)});
    const CurveFit fit = fit_curve(points, {});
    CHECK(fit.converged);
    CHECK(fit.agreeing >= 2);
    CHECK(fit.floor_found);
    CHECK(fit.law.E == Approx(law.E).epsilon(1e-5));
    CHECK(fit.law.b == Approx(law.b).epsilon(1e-4));
    CHECK(fit.law.x0 == Approx(law.x0).margin(1));
  }
}

TEST_CASE("spikes are dropped and counted") {
  std::vector<CurvePoint> points = test::noisy_curve(.1, 2, 5e-4, 1);
  const StageCurve before = fit_curve(points, {}).law;
  points[50].loss += 1;
  points[51].loss += 0.5;
  const CurveFit fit = fit_curve(points, {});
  CHECK(fit.spikes >= 2);
  CHECK(fit.law.E == Approx(before.E).epsilon(0.01));
}

TEST_CASE("the noise is measured, and delta follows it") {
  CHECK(fit_curve(test::noisy_curve(.1, 2, 5e-4, 1), {}).noise == Approx(5e-4).epsilon(0.3));
  const CurveFit noisy = fit_curve(test::noisy_curve(.1, 2, 2e-2, 1), {});
  CHECK(noisy.huber == Approx(0.04).epsilon(0.3));
  CHECK(fit_curve(test::noisy_curve(.1, 2, 2e-2, 1), {.huber = 1e-3}).huber == 1e-3);
}

// Of 200 logs that end at this part of the best growth time.
struct Planned {
  int near = 0;     // plan it within 10% of the best step
  double kept = 0;  // of the tokens saved, by 95 in 100
};
Planned planned(double part) {
  Planned result;
  std::vector<double> kept;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto points = test::noisy_curve(kWarmup / 2, part * kGrowth, 5e-4, seed);
    const CurveFit fit = fit_curve(points, {.offset_spread = kWarmup / 4});
    const double x = best_growth(fit.law);
    result.near += std::fabs(x / kGrowth - 1) < 0.1;
    kept.push_back(tokens_saved(test::kCurve100M, x) / kTokensSaved);
  }
  std::ranges::sort(kept);
  result.kept = kept[10];
  return result;
}

TEST_CASE("growth planned from 0.7 of a noisy log keeps its worth", "[T12]") {
  const Planned from = planned(0.7);
  CHECK(from.near >= 190);
  CHECK(from.kept >= 0.99);
}

// A step that few logs find, and most of the tokens saved all the same.
TEST_CASE("growth planned from 0.4 of a noisy log misses the step and keeps most", "[T12]") {
  const Planned from = planned(0.4);
  CHECK(from.near >= 70);
  CHECK(from.near <= 110);
  CHECK(from.kept >= 0.92);
}

TEST_CASE("a straight line has no floor") {
  std::vector<CurvePoint> points;
  for (int i = 1; i < 100; ++i) points.push_back({i * 10.0, 9 * std::pow(i * 10.0, -0.3)});
  CHECK_FALSE(fit_curve(points, {.offset_spread = 2}).floor_found);
}
