// Computes the gradient of a linear layer's bias, which is the sum of the rows of dy.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Adds the sum of dy[r, c] over rows [begin, end) to dbias[c]. dy has the shape [rows, width].
// dbias is one partial sum, so concurrent ranges need a buffer each (partial_sums.h).
void bias_backward(const float* dy, std::int64_t begin, std::int64_t end, std::int64_t width,
                   float* dbias);

}  // namespace stagedtrain::kernels
