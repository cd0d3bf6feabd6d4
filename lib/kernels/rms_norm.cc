// Computes root-mean-square normalisation and its backward pass with SIMD vectors.
#include "kernels/rms_norm.h"

#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rms_norm.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Returns v, the values of a row from column c on, times their weights in the mean.
template <class Access>
HWY_INLINE Vec weighted(const NormMean& over, std::int64_t c, Vec v, const Access& io) {
  return over.weights != nullptr ? hn::Mul(v, io.load(over.weights + c)) : v;
}

// Normalises one row of `width` values, whose (weighted) squares sum to `squares`. Returns rstd.
HWY_INLINE float normalise_row(const float* x, float squares, const float* gamma, float eps,
                               std::int64_t width, const NormMean& over, float* y) {
  const float rstd = 1.0f / std::sqrt(squares / over.divisor(width) + eps);
  for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
    io.store(hn::Mul(hn::Mul(io.load(x + c), set(rstd)), io.load(gamma + c)), y + c);
  });
  return rstd;
}

void rms_norm_rows(const float* x, const float* gamma, float eps, std::int64_t begin,
                   std::int64_t end, std::int64_t width, float* y, float* rstd,
                   const NormMean& over) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float* row = x + r * width;
    Vec squares = zero();
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const Vec v = io.load(row + c);
      squares = hn::MulAdd(v, weighted(over, c, v, io), squares);
    });
    rstd[r] = normalise_row(row, sum_of_lanes(squares), gamma, eps, width, over, y + r * width);
  }
}

void residual_rms_norm_rows(const float* x, const float* branch, const float* gamma, float eps,
                            std::int64_t begin, std::int64_t end, std::int64_t width, float* sum,
                            float* y, float* rstd, const NormMean& over) {
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t row = r * width;
    Vec squares = zero();
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const Vec v = hn::Add(io.load(x + row + c), io.load(branch + row + c));
      io.store(v, sum + row + c);
      squares = hn::MulAdd(v, weighted(over, c, v, io), squares);
    });
    rstd[r] = normalise_row(sum + row, sum_of_lanes(squares), gamma, eps, width, over, y + row);
  }
}

struct RmsBackward {
  const float *dy, *x, *rstd, *gamma;
  std::int64_t width;
  float *dresidual, *dgamma;
  NormMean over;
};

// The gradient of a row is dx = rstd * g - weights * x * slope. Returns slope.
HWY_INLINE float slope_of(const RmsBackward& b, std::int64_t r) {
  const float *dy = b.dy + r * b.width, *x = b.x + r * b.width;
  Vec product = zero();
  for_vectors(0, b.width, [&](std::int64_t c, auto io) HWY_ATTR {
    product = hn::MulAdd(hn::Mul(io.load(dy + c), io.load(b.gamma + c)), io.load(x + c), product);
  });
  const float rstd = b.rstd[r];
  return sum_of_lanes(product) * rstd * rstd * rstd / b.over.divisor(b.width);
}

// Handles two rows at a time, for the reason given in layer_norm.cc.
template <int R>
HWY_INLINE void backward_rows(const RmsBackward& b, std::int64_t first, bool overwrite) {
  float slope[R];
  for (int i = 0; i < R; ++i) slope[i] = slope_of(b, first + i);
  for_vectors(0, b.width, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec gamma = io.load(b.gamma + c);
    Vec dgamma = io.load(b.dgamma + c);
    for (int i = 0; i < R; ++i) {
      const std::int64_t at = (first + i) * b.width + c;
      const Vec dy = io.load(b.dy + at), x = io.load(b.x + at), rstd = set(b.rstd[first + i]);
      Vec dx = hn::NegMulAdd(weighted(b.over, c, x, io), set(slope[i]),
                             hn::Mul(hn::Mul(dy, gamma), rstd));
      if (!overwrite) dx = hn::Add(io.load(b.dresidual + at), dx);
      io.store(dx, b.dresidual + at);
      dgamma = hn::MulAdd(dy, hn::Mul(x, rstd), dgamma);
    }
    io.store(dgamma, b.dgamma + c);
  });
}

void rms_norm_backward_rows(const float* dy, const float* x, const float* rstd, const float* gamma,
                            std::int64_t begin, std::int64_t end, std::int64_t width,
                            bool overwrite, float* dresidual, float* dgamma, const NormMean& over) {
  const RmsBackward b{dy, x, rstd, gamma, width, dresidual, dgamma, over};
  std::int64_t r = begin;
  for (; r + 2 <= end; r += 2) backward_rows<2>(b, r, overwrite);
  for (; r < end; ++r) backward_rows<1>(b, r, overwrite);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(rms_norm_rows);
HWY_EXPORT(residual_rms_norm_rows);
HWY_EXPORT(rms_norm_backward_rows);

void rms_norm(const float* x, const float* gamma, float eps, std::int64_t begin, std::int64_t end,
              std::int64_t width, float* y, float* rstd, const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(rms_norm_rows)(x, gamma, eps, begin, end, width, y, rstd, over);
}

void residual_rms_norm(const float* x, const float* branch, const float* gamma, float eps,
                       std::int64_t begin, std::int64_t end, std::int64_t width, float* sum,
                       float* y, float* rstd, const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(residual_rms_norm_rows)
  (x, branch, gamma, eps, begin, end, width, sum, y, rstd, over);
}

void rms_norm_backward(const float* dy, const float* x, const float* rstd, const float* gamma,
                       std::int64_t begin, std::int64_t end, std::int64_t width, bool overwrite,
                       float* dresidual, float* dgamma, const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(rms_norm_backward_rows)
  (dy, x, rstd, gamma, begin, end, width, overwrite, dresidual, dgamma, over);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
