// Computes GELU with the error function, as GPT-NeoX uses it.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// gelu(u) = u / 2 * (1 + erf(u / sqrt(2))). All arrays have the shape [rows, width]; a call works
// on rows [begin, end). The test states the error bounds against fp64.
void erf_gelu(const float* u, std::int64_t begin, std::int64_t end, std::int64_t width, float* a);

// Computes du = da * gelu'(u), and gelu(u) again in a, for a caller that did not keep it. du may be
// da.
void erf_gelu_backward(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                       std::int64_t width, float* du, float* a);

}  // namespace stagedtrain::kernels
