// Adds up partial sums in a fixed order: the second half of every sum over rows.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// The kernels that sum over rows (bias.h, gelu.h, layer_norm.h) add to a buffer of their caller's:
// one buffer per range, zeroed before. Ranges that do not depend on the number of threads give sums
// that do not either.

// out[c] += partials[0][c] + partials[1][c] + ..., for columns [begin, end). partials: [count,
// stride]. Each column is added from 0 upwards, so that the result does not depend on how columns
// are split.
void add_partial_sums(const float* partials, std::int64_t count, std::int64_t stride,
                      std::int64_t begin, std::int64_t end, float* out);

}  // namespace stagedtrain::kernels
