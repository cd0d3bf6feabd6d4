// Adds partial sums in a fixed order, which is the second half of every sum over rows.
//
// Goal: gradients of biases and norms are sums over all rows of a batch, and must have the same
// bits for any number of threads. So the rows are cut into ranges that do not depend on the number
// of threads. Each range has a buffer of its own, which the caller sets to zero and to which the
// kernels add (bias.h, gelu.h, layer_norm.h, rms_norm.h). add_partial_sums then adds the buffers in
// the order of their ranges.
//
// Atomic additions to one buffer would need no second pass, but their order, and with it the
// result, would change from run to run.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Adds partials[0][c] + partials[1][c] + ... to out[c] for columns [begin, end). partials has the
// shape [count, stride]. Every column is added in order from 0 up, so the result does not depend on
// how columns are split.
void add_partial_sums(const float* partials, std::int64_t count, std::int64_t stride,
                      std::int64_t begin, std::int64_t end, float* out);

}  // namespace stagedtrain::kernels
