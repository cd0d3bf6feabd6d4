// Computes attention of one token, one head after the other: scores, softmax, weighted values.
#include "products/cached_attention.h"

#include <algorithm>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "products/cached_attention.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

HWY_INLINE float dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::int64_t size) {
  Vec sum = zero();
  for_vectors(0, size, [&](std::int64_t i, auto io) HWY_ATTR {
    sum = hn::MulAdd(io.load(a + i), io.load(b + i), sum);
  });
  return sum_of_lanes(sum);
}

// Replaces scores by exp(score - largest), and returns their sum.
HWY_INLINE float exponentials(float* scores, std::int64_t count) {
  const float largest = *std::max_element(scores, scores + count);
  Vec sum = zero();
  for_vectors(0, count, [&](std::int64_t i, auto io) HWY_ATTR {
    const Vec e = exp_of(hn::Sub(io.load(scores + i), set(largest)));
    io.store(e, scores + i);
    sum = hn::Add(sum, io.keep(e, zero()));
  });
  return sum_of_lanes(sum);
}

// Writes the sum of the rows of values, times their weights and a factor. Several vectors of
// columns at a time, because one sum would wait for each multiply-add.
HWY_INLINE void weigh_values(const CachedAttention& a, const float* HWY_RESTRICT values,
                             const float* HWY_RESTRICT weights, float factor,
                             float* HWY_RESTRICT out) {
  constexpr int kAtOnce = 4;
  const std::int64_t step = lanes();
  std::int64_t c = 0;
  for (; c + kAtOnce * step <= a.value_dim; c += kAtOnce * step) {
    Vec sums[kAtOnce] = {zero(), zero(), zero(), zero()};
    for (std::int64_t t = 0; t < a.tokens; ++t)
      for (int k = 0; k < kAtOnce; ++k)
        sums[k] =
            hn::MulAdd(load(values + t * a.value_dim + c + k * step), set(weights[t]), sums[k]);
    for (int k = 0; k < kAtOnce; ++k) store(hn::Mul(sums[k], set(factor)), out + c + k * step);
  }
  for_vectors(c, a.value_dim, [&](std::int64_t i, auto io) HWY_ATTR {
    Vec sum = zero();
    for (std::int64_t t = 0; t < a.tokens; ++t)
      sum = hn::MulAdd(io.load(values + t * a.value_dim + i), set(weights[t]), sum);
    io.store(hn::Mul(sum, set(factor)), out + i);
  });
}

void attend_heads(const CachedAttention& a, std::int64_t begin, std::int64_t end, float* scores) {
  const std::int64_t queries = a.heads / a.kv_heads;
  for (std::int64_t h = begin; h < end; ++h) {
    const float* keys = a.keys + h / queries * a.key_stride;
    for (std::int64_t t = 0; t < a.tokens; ++t)
      scores[t] = a.scale * dot(a.query + h * a.head_dim, keys + t * a.head_dim, a.head_dim);
    const float sum = exponentials(scores, a.tokens);
    weigh_values(a, a.values + h / queries * a.value_stride, scores, 1 / sum,
                 a.out + h * a.value_dim);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(attend_heads);

void attend_cached(const CachedAttention& attention, std::int64_t begin, std::int64_t end,
                   float* scratch) {
  HWY_DYNAMIC_DISPATCH(attend_heads)(attention, begin, end, scratch);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
