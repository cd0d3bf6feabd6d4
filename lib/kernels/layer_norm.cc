// Computes layer normalisation and its backward pass with SIMD vectors.
#include "kernels/layer_norm.h"

#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Returns v, of a row's columns from c on, times their weights in the mean.
template <class Access>
HWY_INLINE Vec weighted(const NormMean& over, std::int64_t c, Vec v, const Access& io) {
  return over.weights != nullptr ? hn::Mul(v, io.load(over.weights + c)) : v;
}

struct Norm {
  const float *gamma, *beta;
  float eps;
  std::int64_t width;
  float *y, *mean, *rstd;
  NormMean over;
};

// Normalises row r, whose values are x and whose (weighted) sum is `total`. The variance is the
// mean of squared deviations, not of squares, so that a large mean does not cost digits.
HWY_INLINE void normalise(const Norm& norm, std::int64_t r, const float* x, float total) {
  const float n = norm.over.divisor(norm.width), mean = total / n;
  const Vec vmean = set(mean);
  Vec squares = zero();
  for_vectors(0, norm.width, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec deviation = io.keep(hn::Sub(io.load(x + c), vmean), zero());
    squares = hn::MulAdd(deviation, weighted(norm.over, c, deviation, io), squares);
  });
  const float rstd = 1.0f / std::sqrt(sum_of_lanes(squares) / n + norm.eps);
  float* y = norm.y + r * norm.width;
  for_vectors(0, norm.width, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec xhat = hn::Mul(hn::Sub(io.load(x + c), vmean), set(rstd));
    io.store(hn::MulAdd(xhat, io.load(norm.gamma + c), io.load(norm.beta + c)), y + c);
  });
  norm.mean[r] = mean;
  norm.rstd[r] = rstd;
}

void layer_norm_rows(const float* x, const float* gamma, const float* beta, float eps,
                     std::int64_t begin, std::int64_t end, std::int64_t width, float* y,
                     float* mean, float* rstd, const NormMean& over) {
  const Norm norm{gamma, beta, eps, width, y, mean, rstd, over};
  for (std::int64_t r = begin; r < end; ++r) {
    const float* row = x + r * norm.width;
    Vec total = zero();
    for_vectors(0, norm.width, [&](std::int64_t c, auto io) HWY_ATTR {
      total = hn::Add(total, weighted(over, c, io.load(row + c), io));
    });
    normalise(norm, r, row, sum_of_lanes(total));
  }
}

void residual_layer_norm_rows(const float* x, const float* branch, const float* bias,
                              const float* gamma, const float* beta, float eps, std::int64_t begin,
                              std::int64_t end, std::int64_t width, float* sum, float* y,
                              float* mean, float* rstd, const NormMean& over) {
  const Norm norm{gamma, beta, eps, width, y, mean, rstd, over};
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t row = r * norm.width;
    Vec total = zero();
    for_vectors(0, norm.width, [&](std::int64_t c, auto io) HWY_ATTR {
      Vec s = io.load(branch + row + c);
      if (bias != nullptr) s = hn::Add(s, io.load(bias + c));
      s = hn::Add(io.load(x + row + c), s);
      io.store(s, sum + row + c);
      total = hn::Add(total, weighted(over, c, s, io));
    });
    normalise(norm, r, sum + row, sum_of_lanes(total));
  }
}

struct NormBackward {
  const float *dy, *x, *mean, *rstd, *gamma;
  std::int64_t width;
  float* dresidual;
  LayerNormSums sums;
  NormMean over;
};

// The gradient of a row is dx = rstd * g - weights * (offset + xhat * slope).
struct RowGradient {
  float mean, rstd, offset, slope;
};

HWY_INLINE RowGradient row_gradient(const NormBackward& b, std::int64_t r) {
  const float *dy = b.dy + r * b.width, *x = b.x + r * b.width;
  const Vec mean = set(b.mean[r]);
  Vec sum = zero(), product = zero();
  for_vectors(0, b.width, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec g = hn::Mul(io.load(dy + c), io.load(b.gamma + c));
    sum = hn::Add(sum, g);
    product = hn::MulAdd(g, hn::Sub(io.load(x + c), mean), product);
  });
  const float rstd = b.rstd[r], scale = rstd / b.over.divisor(b.width);
  return {b.mean[r], rstd, sum_of_lanes(sum) * scale, sum_of_lanes(product) * rstd * scale};
}

// Handles two rows at a time, so that dgamma and dbeta are read and written half as often. More
// rows of three arrays would exceed the associativity of the cache where rows are a power of two
// bytes apart: four took twice as long at widths of 1,024 and more.
template <int R, bool kOverwrite, bool kBias>
HWY_INLINE void norm_backward_rows(const NormBackward& b, std::int64_t first) {
  RowGradient rows[R];
  for (int i = 0; i < R; ++i) rows[i] = row_gradient(b, first + i);
  for_vectors(0, b.width, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec gamma = io.load(b.gamma + c);
    Vec dgamma = io.load(b.sums.dgamma + c), dbeta = io.load(b.sums.dbeta + c), dbias = zero();
    for (int i = 0; i < R; ++i) {
      const std::int64_t at = (first + i) * b.width + c;
      const Vec dy = io.load(b.dy + at), rstd = set(rows[i].rstd);
      const Vec xhat = hn::Mul(hn::Sub(io.load(b.x + at), set(rows[i].mean)), rstd);
      const Vec offset = weighted(b.over, c, set(rows[i].offset), io);
      Vec dx = hn::MulSub(hn::Mul(dy, gamma), rstd, offset);
      dx = hn::NegMulAdd(weighted(b.over, c, xhat, io), set(rows[i].slope), dx);
      if (!kOverwrite) dx = hn::Add(io.load(b.dresidual + at), dx);
      io.store(dx, b.dresidual + at);
      dgamma = hn::MulAdd(dy, xhat, dgamma);
      dbeta = hn::Add(dbeta, dy);
      if (kBias) dbias = hn::Add(dbias, dx);
    }
    io.store(dgamma, b.sums.dgamma + c);
    io.store(dbeta, b.sums.dbeta + c);
    if (kBias) io.store(hn::Add(io.load(b.sums.dbias + c), dbias), b.sums.dbias + c);
  });
}

template <bool kOverwrite, bool kBias>
void norm_backward(const NormBackward& b, std::int64_t begin, std::int64_t end) {
  std::int64_t r = begin;
  for (; r + 2 <= end; r += 2) norm_backward_rows<2, kOverwrite, kBias>(b, r);
  for (; r < end; ++r) norm_backward_rows<1, kOverwrite, kBias>(b, r);
}

void layer_norm_backward_rows(const float* dy, const float* x, const float* mean, const float* rstd,
                              const float* gamma, std::int64_t begin, std::int64_t end,
                              std::int64_t width, bool overwrite, float* dresidual,
                              const LayerNormSums& sums, const NormMean& over) {
  const NormBackward b{dy, x, mean, rstd, gamma, width, dresidual, sums, over};
  const bool bias = sums.dbias != nullptr;
  const auto run = overwrite ? (bias ? norm_backward<true, true> : norm_backward<true, false>)
                             : (bias ? norm_backward<false, true> : norm_backward<false, false>);
  run(b, begin, end);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(layer_norm_rows);
HWY_EXPORT(residual_layer_norm_rows);
HWY_EXPORT(layer_norm_backward_rows);

void layer_norm(const float* x, const float* gamma, const float* beta, float eps,
                std::int64_t begin, std::int64_t end, std::int64_t width, float* y, float* mean,
                float* rstd, const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(layer_norm_rows)
  (x, gamma, beta, eps, begin, end, width, y, mean, rstd, over);
}

void residual_layer_norm(const float* x, const float* branch, const float* bias, const float* gamma,
                         const float* beta, float eps, std::int64_t begin, std::int64_t end,
                         std::int64_t width, float* sum, float* y, float* mean, float* rstd,
                         const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(residual_layer_norm_rows)
  (x, branch, bias, gamma, beta, eps, begin, end, width, sum, y, mean, rstd, over);
}

void layer_norm_backward(const float* dy, const float* x, const float* mean, const float* rstd,
                         const float* gamma, std::int64_t begin, std::int64_t end,
                         std::int64_t width, bool overwrite, float* dresidual,
                         const LayerNormSums& sums, const NormMean& over) {
  HWY_DYNAMIC_DISPATCH(layer_norm_backward_rows)
  (dy, x, mean, rstd, gamma, begin, end, width, overwrite, dresidual, sums, over);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
