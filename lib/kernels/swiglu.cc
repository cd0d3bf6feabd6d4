// Computes SwiGLU and its backward pass with SIMD vectors.
#include "kernels/swiglu.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/swiglu.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void swiglu_rows(const float* gate_up, std::int64_t begin, std::int64_t end, std::int64_t width,
                 float* a) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float *gate = gate_up + r * 2 * width, *up = gate + width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const Vec g = io.load(gate + c), e = exp_of(hn::Neg(g));
      io.store(hn::Mul(hn::Div(g, hn::Add(set(1.0f), e)), io.load(up + c)), a + r * width + c);
    });
  }
}

// With e = exp(-g) and s = 1 / (1 + e): silu'(g) = s + g s (1 - s), and 1 - s equals e s.
void swiglu_backward_rows(const float* da, const float* gate_up, std::int64_t begin,
                          std::int64_t end, std::int64_t width, float* dgate_up, float* a) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float *gate = gate_up + r * 2 * width, *up = gate + width;
    float *dgate = dgate_up + r * 2 * width, *dup = dgate + width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const Vec g = io.load(gate + c), u = io.load(up + c), d = io.load(da + r * width + c);
      const Vec e = exp_of(hn::Neg(g)), s = hn::Div(set(1.0f), hn::Add(set(1.0f), e));
      const Vec silu = hn::Mul(g, s), slope = hn::MulAdd(silu, hn::Mul(e, s), s);
      io.store(hn::Mul(hn::Mul(d, u), slope), dgate + c);
      io.store(hn::Mul(d, silu), dup + c);
      io.store(hn::Mul(silu, u), a + r * width + c);
    });
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(swiglu_rows);
HWY_EXPORT(swiglu_backward_rows);

void swiglu(const float* gate_up, std::int64_t begin, std::int64_t end, std::int64_t width,
            float* a) {
  HWY_DYNAMIC_DISPATCH(swiglu_rows)(gate_up, begin, end, width, a);
}

void swiglu_backward(const float* da, const float* gate_up, std::int64_t begin, std::int64_t end,
                     std::int64_t width, float* dgate_up, float* a) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward_rows)(da, gate_up, begin, end, width, dgate_up, a);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
