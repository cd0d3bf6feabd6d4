// Smoothed curves: quiet, and without a bias where the curve is steep.
#include "figures/smoothing.h"

#include <cmath>

#include "base/rng.h"
#include "support/catch.h"

using namespace stagedtrain::report;

namespace {

double law(double step) { return 1.2 + 6 * std::pow(step, -0.32); }

// A loss every tenth step, with noise of this standard deviation.
std::vector<XY> noisy(double deviation) {
  std::vector<XY> points;
  for (int step = 10; step <= 1400; step += 10) {
    const double uniform = stagedtrain::CounterRng(7, 0).uniform(static_cast<std::uint64_t>(step));
    points.push_back({1.0 * step, law(step) + deviation * std::sqrt(12.0) * (uniform - 0.5)});
  }
  return points;
}

}  // namespace

TEST_CASE("a straight line in log x stays what it is") {
  std::vector<XY> points;
  for (int i = 1; i <= 200; ++i) points.push_back({1.0 * i, 5 - 0.3 * std::log(i)});
  for (const XY& point : smoothed(points, 40, 50))
    CHECK(point.y == Approx(5 - 0.3 * std::log(point.x)));
}

TEST_CASE("noise of a batch becomes smaller than the effects that a page shows") {
  const std::vector<XY> line = smoothed(noisy(0.1), 40, 160);
  REQUIRE(line.size() == 160);
  double turns = 0, worst = 0;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i].x < 200) continue;
    worst = std::max(worst, std::abs(line[i].y - law(line[i].x)));
    turns += std::max(0.0, line[i].y - line[i - 1].y);  // all the way that it goes up again
  }
  CHECK(worst < 0.12);
  CHECK(turns < 0.05);  // the points themselves go up by 6 nats in all
}

TEST_CASE("too few points are left as they are") {
  CHECK(smoothed({}, 40, 100).empty());
  CHECK(smoothed({{1, 2}, {2, 3}}, 40, 100).size() == 2);
  CHECK(smoothed({{0, 2}, {-1, 3}, {1, NAN}}, 40, 100).empty());
}
