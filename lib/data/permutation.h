// A pseudo-random order of [0, size) that needs no memory.
#pragma once

#include <cstdint>

namespace stagedtrain::data {

// A keyed bijection of [0, size): a Feistel network over the next even power of two, walked along
// its cycle until it lands inside (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
class Permutation {
 public:
  // Requires 1 <= size <= 2^62.
  Permutation(std::int64_t size, std::uint64_t key);
  // Requires 0 <= index < size.
  std::int64_t operator()(std::int64_t index) const;

 private:
  std::uint64_t mix(std::uint64_t value) const;
  std::uint64_t size_, key_;
  int half_bits_ = 1;
};

}  // namespace stagedtrain::data
