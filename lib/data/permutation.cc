// Computes a pseudo-random permutation with a Feistel network and cycle walking.
#include "data/permutation.h"

#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::data {

Permutation::Permutation(std::int64_t size, std::uint64_t key)
    : size_(static_cast<std::uint64_t>(size)), key_(key) {
  ST_CHECK(size >= 1 && size <= std::int64_t{1} << 62, "permutation of {}", size);
  while ((std::uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
}

std::uint64_t Permutation::mix(std::uint64_t value) const {
  // Four rounds suffice for large domains; small domains need more to look random.
  constexpr std::uint64_t kRounds = 8;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_, right = value & mask;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t next = left ^ (mix64(key_ ^ mix64(right * kRounds + round)) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

std::int64_t Permutation::operator()(std::int64_t index) const {
  ST_CHECK(index >= 0 && static_cast<std::uint64_t>(index) < size_, "index {} of {}", index, size_);
  auto value = static_cast<std::uint64_t>(index);
  do value = mix(value);
  while (value >= size_);
  return static_cast<std::int64_t>(value);
}

}  // namespace stagedtrain::data
