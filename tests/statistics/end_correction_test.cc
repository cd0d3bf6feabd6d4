// The Gaussian process of a law's misses: closed forms, and what it must not do.
#include "statistics/end_correction.h"

#include <cmath>

#include "support/catch.h"

using namespace stagedtrain::scaling;

namespace {

constexpr RunShape kRun{1e6, 1e8, 0.1};
constexpr double kScatter = 0.01;  // as large as the spread

}  // namespace

TEST_CASE("without runs nothing is corrected") {
  const EndCorrection::Weights none = EndCorrection().at(kRun);
  CHECK(none.unknown == 1);
  CHECK(corrected(none, {}) == 1);
}

TEST_CASE("equal runs are averaged, and shrunk by their scatter") {
  for (const int count : {1, 2, 10}) {
    const EndCorrection correction(std::vector(static_cast<std::size_t>(count), kRun), kScatter);
    const EndCorrection::Weights weights = correction.at(kRun);
    const std::vector<double> misses(static_cast<std::size_t>(count), 0.02);
    // The mean of n observations with a variance equal to the prior's: n / (n + 1) of it.
    CHECK(std::log(corrected(weights, misses)) == Approx(0.02 * count / (count + 1)));
    CHECK(weights.unknown == Approx(1.0 / (count + 1)));
  }
}

TEST_CASE("a miss counts less the more the shapes differ, in each respect") {
  const EndCorrection correction({kRun}, kScatter);
  const double same = correction.at(kRun).of_runs[0];
  double last = same;
  for (const double factor : {2.0, 8.0, 64.0}) {
    for (const RunShape& other : {RunShape{1e6 * factor, 1e8, 0.1}, RunShape{1e6, 1e8 / factor, 0.1}})
      CHECK(correction.at(other).of_runs[0] < same);
    const double now = correction.at({1e6, 1e8 * factor, 0.1}).of_runs[0];
    CHECK(now < last);
    last = now;
  }
  CHECK(correction.at({1e6, 1e8, 0.5}).of_runs[0] < 0.15 * same);
  CHECK(correction.at({1e30, 1e8, 0.1}).unknown == Approx(1));
}

TEST_CASE("a scatter of nothing is not believed, and equal runs make no singular system") {
  const EndCorrection correction({kRun, kRun, kRun}, 0);
  const EndCorrection::Weights weights = correction.at(kRun);
  CHECK(weights.unknown > 0.1);
  CHECK(weights.of_runs[0] == Approx(weights.of_runs[2]));
}
