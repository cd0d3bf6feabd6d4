// The greedy ranking by facility location, against brute force.
#include "data/facility_location.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/rng.h"
#include "support/catch.h"

using namespace stagedtrain;

namespace {

std::vector<float> random_points(std::int64_t count, std::int64_t width, std::uint64_t seed) {
  const CounterRng rng(seed, 0);
  std::vector<float> points;
  for (std::int64_t i = 0; i < count * width; ++i)
    points.push_back(static_cast<float>(rng.normal(static_cast<std::uint64_t>(i))));
  return points;
}

double cosine(const std::vector<float>& points, std::int64_t width, std::int64_t a,
              std::int64_t b) {
  double product = 0, one = 0, other = 0;
  for (std::int64_t k = 0; k < width; ++k) {
    const double x = points[static_cast<std::size_t>(a * width + k)],
                 y = points[static_cast<std::size_t>(b * width + k)];
    product += x * y;
    one += x * x;
    other += y * y;
  }
  return one > 0 && other > 0 ? product / std::sqrt(one * other) : 0;
}

// f of the set whose bits are set.
double value(const std::vector<float>& points, std::int64_t count, std::int64_t width,
             std::uint64_t set) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    double best = 0;
    for (std::int64_t j = 0; j < count; ++j)
      if (set >> j & 1) best = std::max(best, cosine(points, width, i, j));
    sum += best;
  }
  return sum;
}

}  // namespace

TEST_CASE("the lazy ranking of 12 points is that of the plain greedy algorithm") {
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u);
  constexpr std::int64_t kCount = 12, kWidth = 3;
  const std::vector<float> points = random_points(kCount, kWidth, seed);
  const data::Ranking ranking = data::rank_by_facility_location(points, kCount, kWidth);
  REQUIRE(ranking.order.size() == kCount);
  std::uint64_t taken = 0;
  for (std::size_t step = 0; step < kCount; ++step) {
    const double before = value(points, kCount, kWidth, taken);
    double best = -1;
    for (std::int64_t j = 0; j < kCount; ++j)
      if (!(taken >> j & 1))
        best = std::max(best, value(points, kCount, kWidth, taken | 1u << j) - before);
    const std::int64_t chosen = ranking.order[step];
    CHECK_FALSE((taken >> chosen & 1));
    CHECK(value(points, kCount, kWidth, taken | 1u << chosen) - before ==
          Approx(best).margin(1e-6));
    CHECK(ranking.gains[step] == Approx(best).margin(1e-6));
    if (step > 0) CHECK(ranking.gains[step] <= ranking.gains[step - 1]);
    taken |= std::uint64_t{1} << chosen;
  }
}

TEST_CASE("the first points represent nearly as well as the best set of as many") {
  constexpr std::int64_t kCount = 12, kWidth = 4, kTaken = 4;
  const std::vector<float> points = random_points(kCount, kWidth, 9);
  double best = 0;
  for (std::uint64_t set = 0; set < 1u << kCount; ++set)
    if (std::popcount(set) == kTaken) best = std::max(best, value(points, kCount, kWidth, set));
  const data::Ranking ranking = data::rank_by_facility_location(points, kCount, kWidth);
  double found = 0;
  for (std::size_t i = 0; i < kTaken; ++i) found += ranking.gains[i];
  CHECK(found <= best + 1e-6);
  CHECK(found >= (1 - std::exp(-1)) * best);
  CHECK(found > 0.95 * best);
}

TEST_CASE("equal, opposite and zero points have the gains that the definition gives them") {
  // Two equal points, one opposite to them, and one without a direction.
  const std::vector<float> points = {2, 0, 1, 0, -3, 0, 0, 0};
  const data::Ranking ranking = data::rank_by_facility_location(points, 4, 2);
  CHECK(ranking.order == std::vector<std::int64_t>{0, 2, 1, 3});
  CHECK(ranking.gains == std::vector<double>{2, 1, 0, 0});
}
