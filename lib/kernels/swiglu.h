// SwiGLU, the gated activation of LLaMA's feed-forward, and its backward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// gate_up: [rows, 2 width], gate's columns first; a, da: [rows, width]; rows [begin, end).
// a = silu(gate) * up, silu(g) = g / (1 + exp(-g)).
void swiglu(const float* gate_up, std::int64_t begin, std::int64_t end, std::int64_t width,
            float* a);

// dgate_up from da; and a again, for a caller that did not keep it. No array overlaps another.
void swiglu_backward(const float* da, const float* gate_up, std::int64_t begin, std::int64_t end,
                     std::int64_t width, float* dgate_up, float* a);

}  // namespace stagedtrain::kernels
