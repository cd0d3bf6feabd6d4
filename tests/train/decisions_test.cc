// The decisions of the loop as numbers.
#include "train/decisions.h"

#include <limits>

#include "support/catch.h"

using namespace stagedtrain::train;

TEST_CASE("what is due every n steps is due at their multiples, never for 0") {
  CHECK(is_due(20, 10));
  CHECK_FALSE(is_due(21, 10));
  CHECK_FALSE(is_due(20, 0));
}

TEST_CASE("clipping shortens long gradients to the limit and leaves short ones") {
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(4, 1) == Approx(0.25).epsilon(1e-5));
  CHECK(clip_factor(4, 0) == 1);
}

TEST_CASE("running statistics follow a level and tell what lies off it") {
  RunningStats stats;
  CHECK_FALSE(stats.started());
  CHECK(stats.z(5) == 0);
  for (int i = 0; i < 500; ++i) stats.add(i % 2 ? 2.9 : 3.1);
  CHECK(stats.mean == Approx(3).margin(0.01));
  CHECK(stats.variance == Approx(0.01).epsilon(0.2));
  CHECK(stats.z(3.3) == Approx(3).epsilon(0.15));
}

TEST_CASE("a loss that is no number, or far above its mean, is divergence") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  const RunningStats stats{2, 0.1}, none{};
  CHECK(diverged(nan, 1, stats, 3));
  CHECK(diverged(2, infinite, stats, 3));
  CHECK(diverged(5.1, 1, stats, 3));
  CHECK_FALSE(diverged(4.9, 1, stats, 3));
  CHECK_FALSE(diverged(100, 1, none, 3));
}
