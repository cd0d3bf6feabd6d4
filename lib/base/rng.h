// Random numbers are counter-based: every value is a pure function of (seed, stream, index). So any
// part of a tensor or of a data order can be made alone, in any order, with the same bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace stagedtrain {

// A well-mixed 64-bit hash (the SplitMix64 finaliser, Steele et al. 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
// A stable hash of a name (FNV-1a, then mixed), which gives each tensor its own stream.
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return mix64(h);
}

class CounterRng {
 public:
  CounterRng(std::uint64_t seed, std::uint64_t stream) : key_(mix64(mix64(seed) ^ stream)) {}
  std::uint64_t bits(std::uint64_t index) const { return mix64(key_ ^ mix64(index)); }
  // A uniform number in [0, 1) with 53 bits.
  double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }
  // A uniform integer in [0, bound), where bound > 0. Multiply-shift has a bias below 2^-32 for
  // small bounds.
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(bits(index)) * bound) >> 64);
  }
  // A standard normal number (Box-Muller on the two uniforms 2*index and 2*index + 1).
  double normal(std::uint64_t index) const;
  // A bell-shaped number of mean 0 and variance 1 that is bounded by 3.47 (kurtosis 2.7): the sum
  // of the four 16-bit uniforms of one hash. It is ten times as fast as normal(), for noise whose
  // tails do not matter.
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
