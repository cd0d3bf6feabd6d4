// Computes GELU (tanh form) and its backward pass with SIMD vectors.
#include "kernels/gelu.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu.cc"
#include <hwy/foreach_target.h>

#include "kernels/gelu_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void bias_gelu_rows(const float* h, const float* bias, std::int64_t begin, std::int64_t end,
                    std::int64_t width, float* u, float* a) {
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t row = r * width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      Vec x = io.load(h + row + c);
      if (bias != nullptr) x = hn::Add(x, io.load(bias + c));
      if (u != nullptr) io.store(x, u + row + c);
      io.store(gelu_of(x), a + row + c);
    });
  }
}

struct Backward {
  const float *da, *u;
  float *du, *a;
  std::int64_t width;
};

HWY_INLINE void backward_row(const Backward& x, std::int64_t r) {
  for_vectors(r * x.width, (r + 1) * x.width, [&](std::int64_t at, auto io) HWY_ATTR {
    const Vec u = io.load(x.u + at), u2 = hn::Mul(u, u);
    const Gate g = gate(u, u2);
    io.store(hn::Mul(io.load(x.da + at), gelu_slope(u, u2, g)), x.du + at);
    if (x.a != nullptr) io.store(hn::Mul(u, g.s), x.a + at);
  });
}

// Computes R rows one after another, then adds their sum to dbias. Interleaving the R rows of four
// arrays would evict lines from the cache: rows are often a power of two bytes apart and then
// compete for the same sets.
template <int R>
HWY_INLINE void backward_rows(const Backward& x, std::int64_t first, float* dbias) {
  for (int i = 0; i < R; ++i) backward_row(x, first + i);
  if (dbias == nullptr) return;
  const float* du = x.du + first * x.width;
  for_vectors(0, x.width, [&](std::int64_t c, auto io) HWY_ATTR {
    Vec sum = io.load(du + c);
    for (int i = 1; i < R; ++i) sum = hn::Add(sum, io.load(du + i * x.width + c));
    io.store(hn::Add(io.load(dbias + c), sum), dbias + c);
  });
}

void gelu_backward_rows(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                        std::int64_t width, float* du, float* dbias, float* a) {
  const Backward x{da, u, du, a, width};
  std::int64_t r = begin;
  for (; r + 4 <= end; r += 4) backward_rows<4>(x, r, dbias);
  for (; r < end; ++r) backward_rows<1>(x, r, dbias);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(bias_gelu_rows);
HWY_EXPORT(gelu_backward_rows);

void bias_gelu(const float* h, const float* bias, std::int64_t begin, std::int64_t end,
               std::int64_t width, float* u, float* a) {
  HWY_DYNAMIC_DISPATCH(bias_gelu_rows)(h, bias, begin, end, width, u, a);
}

void gelu_backward(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                   std::int64_t width, float* du, float* dbias, float* a) {
  HWY_DYNAMIC_DISPATCH(gelu_backward_rows)(da, u, begin, end, width, du, dbias, a);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
