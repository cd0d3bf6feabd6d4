// What the kernel tests share: random arrays, fp64 copies, errors, and every processor target in
// turn.
#pragma once

#include "kernels/targets.h"
//
#include <hwy/targets.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "support/catch.h"

namespace stagedtrain::test {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

// Normal numbers times spread, always the same for one seed.
inline Floats random_floats(std::int64_t size, unsigned seed, float spread = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, spread);
  Floats values(size);
  for (float& value : values) value = normal(engine);
  return values;
}

inline Doubles in_double(const Floats& values) { return Doubles(values.begin(), values.end()); }

// The largest |got - want|, as a share of the largest |want|.
template <class T>
double error_of(const std::vector<T>& got, const Doubles& want) {
  REQUIRE(got.size() == want.size());
  double error = 0, largest = 1e-30;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    error = std::max(error, std::abs(got[i] - want[i]));
    largest = std::max(largest, std::abs(want[i]));
  }
  return error / largest;
}

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Calls check() with each kind of code that this processor can run: AVX-512, AVX2, baseline.
template <class F>
void on_every_target(F check) {
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    INFO("target " << hwy::TargetName(target));
    check();
    hwy::SetSupportedTargetsForTest(0);
  }
}

}  // namespace stagedtrain::test
