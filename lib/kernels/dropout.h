// Drops random elements of a matrix. Which ones is a pure function of a key, the row and the
// column.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Sets each element to zero with this probability and multiplies the others by scale, usually 1 /
// (1 - probability). The random numbers are counter-based: they depend on key, row and column only,
// not on the threads, the vector width or the other elements. So a backward pass, or a second
// forward pass, draws the same mask again instead of storing it.
struct Dropout {
  std::uint64_t key = 0;
  float probability = 0, scale = 1;  // probability < 1
};

// Computes y = dropped x for rows [begin, end) of matrices [rows, width]. y may be x.
void drop(const Dropout& dropout, const float* x, std::int64_t begin, std::int64_t end,
          std::int64_t width, float* y);

}  // namespace stagedtrain::kernels
