// In which pseudo-random order are the indices [0, size) visited? It takes constant memory.
#pragma once

#include <cstdint>

namespace stagedtrain::data {

// A keyed bijection of [0, size). A Feistel network permutes the smallest domain of size 2^(2k), k
// >= 1, that holds `size` values; it is applied repeatedly until the value is below size (cycle
// walking: Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
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
