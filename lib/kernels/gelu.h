// Computes GELU in its tanh form, fused with the bias of the linear layer before it.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// gelu(u) = u / 2 * (1 + tanh(z)) with z = sqrt(2 / pi) * (u + 0.044715 u^3) (arXiv 1606.08415). It
// is computed in the equivalent form u / (1 + exp(-2 z)). The test states the error bounds against
// fp64. All arrays have the shape [rows, width]; a call works on rows [begin, end).

// Computes u = h + bias and a = gelu(u). u may be h (in place). If bias is null, nothing is added.
// If u is null, the pre-activation is not kept, and a may be h. Otherwise a must overlap neither h
// nor u.
void bias_gelu(const float* h, const float* bias, std::int64_t begin, std::int64_t end,
               std::int64_t width, float* u, float* a);

// Computes du = da * gelu'(u), and adds the sum of du[r, c] over the rows to dbias[c]. du may be da
// (in place) or u. dbias is one partial sum for each concurrent range (partial_sums.h), or null. If
// a is not null, gelu(u) is written there again, for a caller that did not keep it; a must not
// overlap the other arrays.
void gelu_backward(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                   std::int64_t width, float* du, float* dbias, float* a);

}  // namespace stagedtrain::kernels
