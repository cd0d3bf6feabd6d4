// Computes GELU with the error function, and its backward pass, with SIMD vectors.
#include "kernels/erf_gelu.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/erf_gelu.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// The normal distribution function (1 + erf(u / sqrt(2))) / 2, within 1e-7. erf is the rational
// approximation of Eigen's generic_fast_erf_float; beyond 4 it is 1 in float32.
HWY_INLINE Vec normal_cdf(Vec u) {
  Vec x = hn::Mul(u, set(0.70710678f));
  x = hn::Min(set(4.0f), hn::Max(set(-4.0f), x));
  const Vec x2 = hn::Mul(x, x);
  Vec p = hn::MulAdd(set(-2.72614225801306e-10f), x2, set(2.77068142495902e-08f));
  p = hn::MulAdd(p, x2, set(-2.10102402082508e-06f));
  p = hn::MulAdd(p, x2, set(-5.69250639462346e-05f));
  p = hn::MulAdd(p, x2, set(-7.34990630326855e-04f));
  p = hn::MulAdd(p, x2, set(-2.95459980854025e-03f));
  p = hn::MulAdd(p, x2, set(-1.60960333262415e-02f));
  Vec q = hn::MulAdd(set(-1.45660718464996e-05f), x2, set(-2.13374055278905e-04f));
  q = hn::MulAdd(q, x2, set(-1.68282697438203e-03f));
  q = hn::MulAdd(q, x2, set(-7.37332916720468e-03f));
  q = hn::MulAdd(q, x2, set(-1.42647390514189e-02f));
  const Vec erf = hn::Div(hn::Mul(x, p), q);
  return hn::MulAdd(erf, set(0.5f), set(0.5f));
}

void gelu_range(const float* u, std::int64_t begin, std::int64_t end, float* a) {
  for_vectors(begin, end, [&](std::int64_t at, auto io) HWY_ATTR {
    const Vec x = io.load(u + at);
    io.store(hn::Mul(x, normal_cdf(x)), a + at);
  });
}

// gelu'(u) = cdf(u) + u * density(u).
void backward_range(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                    float* du, float* a) {
  for_vectors(begin, end, [&](std::int64_t at, auto io) HWY_ATTR {
    const Vec x = io.load(u + at), cdf = normal_cdf(x);
    const Vec density = hn::Mul(exp_of(hn::Mul(hn::Mul(x, x), set(-0.5f))), set(0.39894228f));
    io.store(hn::Mul(io.load(da + at), hn::MulAdd(x, density, cdf)), du + at);
    io.store(hn::Mul(x, cdf), a + at);
  });
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(gelu_range);
HWY_EXPORT(backward_range);

void erf_gelu(const float* u, std::int64_t begin, std::int64_t end, std::int64_t width, float* a) {
  HWY_DYNAMIC_DISPATCH(gelu_range)(u, begin * width, end * width, a);
}

void erf_gelu_backward(const float* da, const float* u, std::int64_t begin, std::int64_t end,
                       std::int64_t width, float* du, float* a) {
  HWY_DYNAMIC_DISPATCH(backward_range)(da, u, begin * width, end * width, du, a);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
