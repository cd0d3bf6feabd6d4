// Counter-based random numbers: every value is a pure function of (seed, stream, index), so that
// any part of a tensor or data order can be made on its own, in any order, with the same bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace stagedtrain {

// A well-mixed 64-bit hash of its input (the SplitMix64 finaliser, Steele et al. 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
// A stable hash of a name, to give each tensor a stream of its own (FNV-1a, then mixed).
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return mix64(h);
}

class CounterRng {
 public:
  CounterRng(std::uint64_t seed, std::uint64_t stream) : key_(mix64(mix64(seed) ^ stream)) {}
  std::uint64_t bits(std::uint64_t index) const { return mix64(key_ ^ mix64(index)); }
  // Uniform in [0, 1), 53 bits.
  double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }
  // Uniform whole number in [0, bound); bound > 0. (Multiply-shift; bias below 2^-32 for small
  // bounds.)
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(bits(index)) * bound) >> 64);
  }
  // Standard normal (Box-Muller on the two uniforms 2*index and 2*index + 1).
  double normal(std::uint64_t index) const;
  // Mean 0, variance 1, bell-shaped but bounded by 3.47 (kurtosis 2.7): the sum of the four 16-bit
  // uniforms of one hash. Ten times as fast as normal(), for noise whose tails do not matter.
  double quick_normal(std::uint64_t index) const {
    const std::uint64_t b = bits(index);
    const auto sum = static_cast<std::int64_t>((b & 0xffff) + (b >> 16 & 0xffff) +
                                               (b >> 32 & 0xffff) + (b >> 48));
    constexpr double kMean = 131070, kDeviation = 37837.22714046532;  // sqrt((2^32 - 1) / 3)
    return (static_cast<double>(sum) - kMean) * (1 / kDeviation);
  }

 private:
  std::uint64_t key_;
};

}  // namespace stagedtrain
