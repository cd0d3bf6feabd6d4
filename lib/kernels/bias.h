// The gradient of a linear layer's bias: the sum of the rows of a gradient.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// dbias[c] += sum of dy[r, c] over rows [begin, end). dy: [rows, width]. dbias is one partial sum:
// concurrent ranges need a buffer each (partial_sums.h).
void bias_backward(const float* dy, std::int64_t begin, std::int64_t end, std::int64_t width,
                   float* dbias);

}  // namespace stagedtrain::kernels
