// Computes causal attention forward: a tile of queries at a time against all keys before them.
//
// The formula is out = softmax(scale Q K^T) V (arXiv 1706.03762, equation 1) with a causal mask.
// Backward recomputes the probabilities from lse[i] = log(sum over j <= i of exp(scale q_i k_j)),
// so that is the only other result.
//
// A key head and its value head are copied into dense scratch once for all consecutive query heads
// that read them. A tile of kTileRows queries then takes three steps: the scores of all keys up to
// its last query, the exponentials relative to each row's largest score, and their product with the
// values. Dividing by the sum comes last, where it costs head_dim multiplications a query instead
// of T.
//
// Invariant: only the scores of one tile exist at any time, never a T x T matrix. Whole rows of
// scores fit in the cache (24 KiB for 6 queries and 1,024 keys), so a running softmax over blocks
// of keys, as in FlashAttention (arXiv 2205.14135), is not needed. Computing the scores of several
// tiles by panels of keys was tried, at 0.95 to 1.03 times the speed.
#include <cmath>

#include "products/attention.h"
#include "products/attention_scratch.h"
#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "products/attention_forward.cc"
#include <hwy/foreach_target.h>

#include "products/pack_inl.h"
#include "products/product_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Replaces the scores of one query by exp(scale * (score - largest)) for the first `count` keys and
// by zero from there to `end`, a multiple of kLine. Returns their sum, and sets lse to the log of
// the sum of exp(scale * score).
HWY_INLINE float exponentials(float* scores, std::int64_t count, std::int64_t end, float scale,
                              float* lse) {
  Vec largest = set(scores[0]);
  for_vectors(0, count, [&](std::int64_t j, auto io) HWY_ATTR {
    largest = hn::Max(largest, io.keep(load(scores + j), largest));
  });
  const float offset = max_of_lanes(largest) * scale;
  Vec sum = zero();
  std::int64_t done = 0;
  for_vectors(0, count, [&](std::int64_t j, auto io) HWY_ATTR {
    const Vec e = exp_of(hn::MulSub(load(scores + j), set(scale), set(offset)));
    const Vec kept = io.keep(e, zero());
    store(kept, scores + j);
    sum = hn::Add(sum, kept);
    done = j + lanes();
  });
  for (; done < end; done += lanes()) store(zero(), scores + done);
  const float total = sum_of_lanes(sum);
  *lse = offset + std::log(total);
  return total;
}

struct ForwardHead {
  const float *q, *keys, *values;  // q: [T, qkv_width]; keys [head_dim, T]; values [T, head_dim]
  float *scores, *sums, *out, *lse;
};

// Computes queries [first, first + rows), where rows <= kTileRows.
HWY_INLINE void forward_rows(const AttentionShape& shape, const ForwardHead& head,
                             std::int64_t first, std::int64_t rows) {
  const std::int64_t stride = score_stride(shape), width = head_stride(shape);
  const std::int64_t columns = padded(first + rows);
  product<false, false>(rows, columns, shape.head_dim, head.q + first * shape.qkv_width(),
                        shape.qkv_width(), head.keys, stride, head.scores, stride);
  float totals[kTileRows];
  for (std::int64_t i = 0; i < rows; ++i)
    totals[i] = exponentials(head.scores + i * stride, first + i + 1, columns, shape.scale,
                             head.lse + first + i);
  product<false, false>(rows, width, first + rows, head.scores, stride, head.values, width,
                        head.sums, width);
  for (std::int64_t i = 0; i < rows; ++i)
    unpack_row(head.sums + i * width, shape.head_dim, 1.0f / totals[i],
               head.out + (first + i) * shape.out_width());
}

void forward_heads(const AttentionShape& shape, const float* qkv, std::int64_t begin,
                   std::int64_t end, float* out, float* lse, float* scratch) {
  Scratch pieces(scratch);
  const std::int64_t stride = score_stride(shape), length = shape.length, dim = shape.head_dim;
  float* keys = pieces.take(dim * stride);
  float* values = pieces.take(length * head_stride(shape));
  float* scores = pieces.take(kMaxTileRows * stride);
  float* sums = pieces.take(kMaxTileRows * head_stride(shape));
  std::int64_t packed = -1;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t b = unit / shape.heads, h = unit % shape.heads;
    const std::int64_t kv = h / (shape.heads / shape.kv_heads);
    const float* sequence = qkv + b * length * shape.qkv_width();
    if (packed != b * shape.kv_heads + kv) {
      packed = b * shape.kv_heads + kv;
      const float* k = sequence + (shape.heads + kv) * dim;
      pack_transposed(k, shape.qkv_width(), length, dim, keys, stride);
      pack_rows(k + shape.kv_heads * dim, shape.qkv_width(), length, dim, values);
    }
    float* head_out = out + b * length * shape.out_width() + h * dim;
    const ForwardHead head{sequence + h * dim, keys, values, scores, sums, head_out,
                           lse + unit * length};
    for (std::int64_t i = 0; i < length; i += kTileRows)
      forward_rows(shape, head, i, length - i < kTileRows ? length - i : kTileRows);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(forward_heads);

std::int64_t attention_forward_scratch(const AttentionShape& shape) {
  return (shape.head_dim + kMaxTileRows) * score_stride(shape) +
         (shape.length + kMaxTileRows) * head_stride(shape) + kLine;
}

void attention_forward(const AttentionShape& shape, const float* qkv, std::int64_t begin,
                       std::int64_t end, float* out, float* lse, float* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_heads)(shape, qkv, begin, end, out, lse, scratch);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
