// The counter-based generator: fixed values, spread and independence.
#include "base/rng.h"

#include <cmath>
#include <set>
#include <vector>

#include "support/catch.h"

using namespace stagedtrain;

TEST_CASE("mix64 gives the published SplitMix64 sequence") {
  // The outputs of SplitMix64 from state 0 are mix64(k * golden ratio).
  CHECK(mix64(0) == 0xe220a8397b1dcdafull);
  CHECK(mix64(0x9e3779b97f4a7c15ull) == 0x6e789e6aa1b965f4ull);
  CHECK(mix64(2 * 0x9e3779b97f4a7c15ull) == 0x06c45d188009454full);
}

TEST_CASE("random values depend on seed, stream and index alone") {
  const CounterRng rng(1, hash_name("a"));
  CHECK(rng.bits(5) == CounterRng(1, hash_name("a")).bits(5));
  CHECK(rng.bits(5) != CounterRng(2, hash_name("a")).bits(5));
  CHECK(rng.bits(5) != CounterRng(1, hash_name("b")).bits(5));
  CHECK(rng.bits(5) != rng.bits(6));
  std::set<std::uint64_t> values;
  for (std::uint64_t i = 0; i < 10000; ++i) values.insert(rng.bits(i));
  CHECK(values.size() == 10000);
}

TEST_CASE("uniform numbers fill [0, 1) evenly") {
  const CounterRng rng(3, 4);
  constexpr int kCount = 100000, kBins = 50;
  std::vector<int> bins(kBins);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double u = rng.uniform(i);
    REQUIRE((u >= 0 && u < 1));
    ++bins[static_cast<std::size_t>(u * kBins)];
  }
  double chi2 = 0;
  for (int n : bins)
    chi2 += (n - kCount / kBins) * (n - kCount / kBins) / static_cast<double>(kCount / kBins);
  CHECK(chi2 < 85.4);  // 49 degrees of freedom, p = 0.001
}

TEST_CASE("below stays below its bound and reaches every value") {
  const CounterRng rng(9, 1);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    REQUIRE(rng.below(i, 7) < 7);
    seen.insert(rng.below(i, 7));
  }
  CHECK(seen.size() == 7);
  CHECK(rng.below(3, 1) == 0);
}

TEST_CASE("normal numbers have the moments of the normal distribution") {
  const CounterRng rng(5, 6);
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, last = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double x = rng.normal(i);
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    neighbours += x * last;
    last = x;
  }
  CHECK(sum / kCount == Approx(0).margin(0.01));
  CHECK(squares / kCount == Approx(1).margin(0.015));
  CHECK(fourth / kCount == Approx(3).margin(0.1));
  CHECK(neighbours / kCount == Approx(0).margin(0.01));
}

TEST_CASE("quick normal numbers have mean 0 and variance 1, are bounded, and know no neighbours") {
  const CounterRng rng(5, 6), other(5, 7);
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, third = 0, fourth = 0, neighbours = 0, streams = 0, last = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double x = rng.quick_normal(i);
    REQUIRE(std::abs(x) < 3.47);
    sum += x;
    squares += x * x;
    third += x * x * x;
    fourth += x * x * x * x;
    neighbours += x * last;
    streams += x * other.quick_normal(i);
    last = x;
  }
  CHECK(sum / kCount == Approx(0).margin(0.01));
  CHECK(squares / kCount == Approx(1).margin(0.015));
  CHECK(third / kCount == Approx(0).margin(0.03));
  CHECK(fourth / kCount == Approx(2.7).margin(0.1));  // 3 - 6/(5 * 4): Irwin-Hall of four
  CHECK(neighbours / kCount == Approx(0).margin(0.01));
  CHECK(streams / kCount == Approx(0).margin(0.01));
  CHECK(rng.quick_normal(3) == CounterRng(5, 6).quick_normal(3));
}
