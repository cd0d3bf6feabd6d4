// Bias of a linear layer: added to rows, and its gradient, the sum of the rows of a gradient.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// x[r, c] += bias[c] for rows [begin, end). x: [rows, width].
void add_bias(const float* bias, std::int64_t begin, std::int64_t end, std::int64_t width,
              float* x);

// dbias[c] += sum of dy[r, c] over rows [begin, end). dy: [rows, width]. dbias is one partial sum:
// concurrent ranges need a buffer each (partial_sums.h).
void bias_backward(const float* dy, std::int64_t begin, std::int64_t end, std::int64_t width,
                   float* dbias);

}  // namespace stagedtrain::kernels
