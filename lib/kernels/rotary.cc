// Computes rotary position embeddings, one vector of pairs at a time.
#include "kernels/rotary.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rotary.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void rotate_rows(const Rotation& t, std::int64_t begin, std::int64_t end, bool backward, float* x) {
  const std::int64_t half = t.turned / 2;
  const Vec sign = set(backward ? -1.0f : 1.0f);
  for (std::int64_t r = begin; r < end; ++r) {
    const float *cos = t.cos + r % t.length * half, *sin = t.sin + r % t.length * half;
    for (std::int64_t h = 0; h < t.heads; ++h) {
      float *first = x + r * t.stride + h * t.head_dim, *second = first + half;
      for_vectors(0, half, [&](std::int64_t i, auto io) HWY_ATTR {
        const Vec c = io.load(cos + i), s = hn::Mul(io.load(sin + i), sign);
        const Vec a = io.load(first + i), b = io.load(second + i);
        io.store(hn::NegMulAdd(b, s, hn::Mul(a, c)), first + i);
        io.store(hn::MulAdd(a, s, hn::Mul(b, c)), second + i);
      });
    }
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(rotate_rows);

void rotate(const Rotation& rotation, std::int64_t begin, std::int64_t end, bool backward,
            float* x) {
  HWY_DYNAMIC_DISPATCH(rotate_rows)(rotation, begin, end, backward, x);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
