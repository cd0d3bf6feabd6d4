// GELU in its tanh form with the bias of the linear layer before it, and its backward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// gelu(u) = u / 2 * (1 + tanh(z)), z = sqrt(2 / pi) * (u + 0.044715 u^3); computed as
// u / (1 + exp(-2 z)), which is the same. Error against fp64: see the bounds in the test.
// All arrays are [rows, width]; a call works on rows [begin, end).

// u = h + bias; a = gelu(u). u may be h (in place). bias null: nothing is added. u null: the
// pre-activation is not kept, and a may be h. Otherwise a overlaps neither h nor u.
void bias_gelu(const float* h, const float* bias, std::int64_t begin, std::int64_t end,
               std::int64_t width, float* u, float* a);

// du = da * gelu'(u), dbias[c] += sum of du[r, c] over the rows. du may be da (in place) or u.
// dbias: one partial sum per concurrent range (partial_sums.h), or null.
// a: where not null, gelu(u) is written there again (for a caller that did not keep it); it must
// not overlap the others.
void gelu_backward(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                   std::int64_t width, float* du, float* dbias, float* a);

}  // namespace stagedtrain::kernels
