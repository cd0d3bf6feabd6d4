// Computes SwiGLU (arXiv 2002.05202), the gated activation of LLaMA's feed-forward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Computes a = silu(gate) * up with silu(g) = g / (1 + exp(-g)), for rows [begin, end). gate_up has
// the shape [rows, 2 width] with gate's columns first; a and da have [rows, width].
void swiglu(const float* gate_up, std::int64_t begin, std::int64_t end, std::int64_t width,
            float* a);

// Computes dgate_up from da, and a again, for a caller that did not keep it. No array may overlap
// another.
void swiglu_backward(const float* da, const float* gate_up, std::int64_t begin, std::int64_t end,
                     std::int64_t width, float* dgate_up, float* a);

}  // namespace stagedtrain::kernels
