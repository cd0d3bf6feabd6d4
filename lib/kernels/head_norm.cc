// Normalises the queries and keys of a row, group by group.
#include "kernels/head_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/head_norm.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

HWY_INLINE float rstd_of(const float* x, std::int64_t size, float eps) {
  Vec squares = zero();
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec v = io.load(x + c);
    squares = hn::MulAdd(v, v, squares);
  });
  return 1.0f / std::sqrt(sum_of_lanes(squares) / static_cast<float>(size) + eps);
}

HWY_INLINE void normalise_group(const float* x, const float* gain, std::int64_t size, float eps,
                                float* y) {
  const Vec rstd = set(rstd_of(x, size, eps));
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    io.store(hn::Mul(hn::Mul(io.load(x + c), rstd), io.load(gain + c)), y + c);
  });
}

// dx = rstd * g - x * slope with g = dy * gain and slope = sum(g * x) * rstd^3 / size. dx may be
// dy.
HWY_INLINE void backward_group(const float* x, const float* gain, std::int64_t size, float eps,
                               float* dy, float* dgain) {
  const float rstd = rstd_of(x, size, eps);
  Vec product = zero();
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    product = hn::MulAdd(hn::Mul(io.load(dy + c), io.load(gain + c)), io.load(x + c), product);
  });
  const Vec slope = set(sum_of_lanes(product) * rstd * rstd * rstd / static_cast<float>(size)),
            r = set(rstd);
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec d = io.load(dy + c), v = io.load(x + c);
    io.store(hn::MulAdd(d, hn::Mul(v, r), io.load(dgain + c)), dgain + c);
    io.store(hn::NegMulAdd(v, slope, hn::Mul(hn::Mul(d, io.load(gain + c)), r)), dy + c);
  });
}

// Calls body(first column, size, whether it holds queries) for every group of a row.
template <class Body>
HWY_INLINE void for_groups(const HeadNorm& norm, const Body& body) {
  const std::int64_t queries = norm.heads * norm.head_dim, keys = norm.kv_heads * norm.head_dim;
  const std::int64_t of_queries = norm.each ? norm.head_dim : queries;
  const std::int64_t of_keys = norm.each ? norm.head_dim : keys;
  for (std::int64_t c = 0; c < queries; c += of_queries) body(c, of_queries, true);
  for (std::int64_t c = queries; c < queries + keys; c += of_keys) body(c, of_keys, false);
}

void normalise_rows(const HeadNorm& norm, std::int64_t begin, std::int64_t end, float* qkv,
                    float* raw) {
  for (std::int64_t r = begin; r < end; ++r) {
    float *row = qkv + r * norm.stride, *kept = raw + r * norm.width();
    std::copy(row, row + norm.width(), kept);
    for_groups(norm, [&](std::int64_t c, std::int64_t size, bool query) HWY_ATTR {
      normalise_group(kept + c, query ? norm.query_gain : norm.key_gain, size, norm.eps, row + c);
    });
  }
}

void backward_rows(const HeadNorm& norm, const float* raw, std::int64_t begin, std::int64_t end,
                   float* dqkv, float* dquery_gain, float* dkey_gain) {
  for (std::int64_t r = begin; r < end; ++r) {
    float* row = dqkv + r * norm.stride;
    const float* x = raw + r * norm.width();
    for_groups(norm, [&](std::int64_t c, std::int64_t size, bool query) HWY_ATTR {
      backward_group(x + c, query ? norm.query_gain : norm.key_gain, size, norm.eps, row + c,
                     query ? dquery_gain : dkey_gain);
    });
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(normalise_rows);
HWY_EXPORT(backward_rows);

void head_norm(const HeadNorm& norm, std::int64_t begin, std::int64_t end, float* qkv, float* raw) {
  HWY_DYNAMIC_DISPATCH(normalise_rows)(norm, begin, end, qkv, raw);
}

void head_norm_backward(const HeadNorm& norm, const float* raw, std::int64_t begin,
                        std::int64_t end, float* dqkv, float* dquery_gain, float* dkey_gain) {
  HWY_DYNAMIC_DISPATCH(backward_rows)(norm, raw, begin, end, dqkv, dquery_gain, dkey_gain);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
