// Computes causal attention backward, recomputing probabilities from the stored log-sum-exp.
//
// The formulas, for one head, with P = exp(scale Q K^T - lse) and delta[i] = dout[i] . out[i]:
//   dV = P^T dout        dP = dout V^T        dS = scale P (dP - delta)
//   dQ = dS K            dK = dS^T Q
// delta[i] equals the sum over j of P[i, j] dP[i, j], so it is known before any score is
// (FlashAttention, arXiv 2205.14135, appendix B.2).
//
// A unit is one key head of one sequence, with all query heads that read it. So each element of dK
// and dV has one writer, which adds the query heads in order: the result is the same for any number
// of threads. A unit goes through its queries in blocks of kBlockRows. A block computes P, dS and
// dQ for each of its tiles of queries, and then adds its share of dK and dV for each tile of keys.
//
// Invariant: P and dS exist for one block of queries only, so scratch grows with T and not with
// T^2. Storing P in the forward pass instead would take B H T^2 floats a layer. A larger block
// reads and writes dK and dV less often: blocks of 48 queries took 0.93 to 0.97 times as long as
// blocks of 24.
#include "products/attention.h"
#include "products/attention_scratch.h"
#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "products/attention_backward.cc"
#include <hwy/foreach_target.h>

#include "products/pack_inl.h"
#include "products/product_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

inline constexpr std::int64_t kBlockRows = 8 * kTileRows;
static_assert(kTileRows <= kMaxTileRows && kBlockRows <= kMaxBlockRows);

// Names of shapes: T keys, D = head_stride, S = score_stride, R = kBlockRows queries.
struct BackwardScratch {
  float *keys_DS, *values_DS;  // transposed
  float *keys_TD, *dk_TD, *dv_TD;
  float *q_RD, *dout_RD, *dq_RD;
  float *p_RS, *ds_RS;  // probabilities; gradients of the scores
  float* delta_T;       // dout . out for each query of the current head
};

BackwardScratch divide(const AttentionShape& shape, float* scratch) {
  Scratch pieces(scratch);
  const std::int64_t S = score_stride(shape), D = head_stride(shape), T = shape.length;
  BackwardScratch s;
  s.keys_DS = pieces.take(shape.head_dim * S);
  s.values_DS = pieces.take(shape.head_dim * S);
  for (float** piece : {&s.keys_TD, &s.dk_TD, &s.dv_TD}) *piece = pieces.take(T * D);
  for (float** piece : {&s.q_RD, &s.dout_RD, &s.dq_RD}) *piece = pieces.take(kMaxBlockRows * D);
  for (float** piece : {&s.p_RS, &s.ds_RS}) *piece = pieces.take(kMaxBlockRows * S);
  s.delta_T = pieces.take(T);
  return s;
}

// Points to one query head of one sequence in the caller's arrays.
struct BackwardHead {
  const float *q, *out, *lse, *dout;
  float* dq;
};

HWY_INLINE float dot(const float* a, const float* b, std::int64_t width) {
  Vec sum = zero();
  for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
    sum = hn::MulAdd(io.load(a + c), io.load(b + c), sum);
  });
  return sum_of_lanes(sum);
}

// Handles one query with `count` keys. Its scores become probabilities p = exp(scale * score -
// lse), and ds, which holds dout V^T on entry, becomes scale * p * (ds - delta). Both are zero from
// count to end.
HWY_INLINE void score_gradients(float* p, float* ds, std::int64_t count, std::int64_t end,
                                float scale, float lse, float delta) {
  std::int64_t done = 0;
  for_vectors(0, count, [&](std::int64_t j, auto io) HWY_ATTR {
    const Vec e = exp_of(hn::MulSub(load(p + j), set(scale), set(lse)));
    const Vec probability = io.keep(e, zero());
    store(probability, p + j);
    const Vec difference = hn::Sub(load(ds + j), set(delta));
    store(hn::Mul(hn::Mul(probability, set(scale)), difference), ds + j);
    done = j + lanes();
  });
  for (; done < end; done += lanes()) {
    store(zero(), p + done);
    store(zero(), ds + done);
  }
}

// Handles queries [first + at, first + at + rows) of the block that starts at `first`, where rows
// <= kTileRows.
HWY_INLINE void backward_queries(const AttentionShape& shape, const BackwardHead& head,
                                 const BackwardScratch& s, std::int64_t first, std::int64_t at,
                                 std::int64_t rows) {
  const std::int64_t S = score_stride(shape), D = head_stride(shape), dim = shape.head_dim;
  const std::int64_t query = first + at, columns = padded(query + rows);
  float *p = s.p_RS + at * S, *ds = s.ds_RS + at * S, *dq = s.dq_RD + at * D;
  product<false, false>(rows, columns, dim, s.q_RD + at * D, D, s.keys_DS, S, p, S);
  product<false, false>(rows, columns, dim, s.dout_RD + at * D, D, s.values_DS, S, ds, S);
  for (std::int64_t i = 0; i < rows; ++i) {
    score_gradients(p + i * S, ds + i * S, query + i + 1, columns, shape.scale, head.lse[query + i],
                    s.delta_T[query + i]);
  }
  product<false, false>(rows, D, query + rows, ds, S, s.keys_TD, D, dq, D);
  for (std::int64_t i = 0; i < rows; ++i)
    unpack_row(dq + i * D, dim, 1.0f, head.dq + (query + i) * shape.qkv_width());
}

// Computes dq for queries [first, first + rows) of a head, where rows <= kBlockRows, and adds their
// share of dk and dv.
HWY_INLINE void backward_block(const AttentionShape& shape, const BackwardHead& head,
                               const BackwardScratch& s, std::int64_t first, std::int64_t rows) {
  const std::int64_t S = score_stride(shape), D = head_stride(shape);
  pack_rows(head.q + first * shape.qkv_width(), shape.qkv_width(), rows, shape.head_dim, s.q_RD);
  pack_rows(head.dout + first * shape.out_width(), shape.out_width(), rows, shape.head_dim,
            s.dout_RD);
  for (std::int64_t at = 0; at < rows; at += kTileRows)
    backward_queries(shape, head, s, first, at, rows - at < kTileRows ? rows - at : kTileRows);
  const std::int64_t end = first + rows;
  for (std::int64_t key = 0; key < end; key += kTileRows) {
    const std::int64_t keys = end - key < kTileRows ? end - key : kTileRows;
    const std::int64_t skip =
        key > first ? key - first : 0;  // these queries precede all of the keys
    const std::int64_t from = skip * S + key;
    product<true, true>(keys, D, rows - skip, s.p_RS + from, S, s.dout_RD + skip * D, D,
                        s.dv_TD + key * D, D);
    product<true, true>(keys, D, rows - skip, s.ds_RS + from, S, s.q_RD + skip * D, D,
                        s.dk_TD + key * D, D);
  }
}

// Handles all query heads that read one key head of one sequence.
void backward_unit(const AttentionShape& shape, const float* qkv, const float* out,
                   const float* lse, const float* dout, std::int64_t unit, float* dqkv,
                   const BackwardScratch& s) {
  const std::int64_t b = unit / shape.kv_heads, kv = unit % shape.kv_heads;
  const std::int64_t T = shape.length, dim = shape.head_dim, W = shape.qkv_width();
  const std::int64_t group = shape.heads / shape.kv_heads;
  const std::int64_t key_at = b * T * W + (shape.heads + kv) * dim;
  const std::int64_t value_at = key_at + shape.kv_heads * dim;
  pack_transposed(qkv + key_at, W, T, dim, s.keys_DS, score_stride(shape));
  pack_transposed(qkv + value_at, W, T, dim, s.values_DS, score_stride(shape));
  pack_rows(qkv + key_at, W, T, dim, s.keys_TD);
  set_zero(s.dk_TD, 0, T * head_stride(shape));
  set_zero(s.dv_TD, 0, T * head_stride(shape));
  for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h) {
    const std::int64_t q_at = b * T * W + h * dim, out_at = b * T * shape.out_width() + h * dim;
    const BackwardHead head{qkv + q_at, out + out_at, lse + (b * shape.heads + h) * T,
                            dout + out_at, dqkv + q_at};
    // The deltas of all queries are computed together, so that the cache misses of rows overlap.
    for (std::int64_t t = 0; t < T; ++t)
      s.delta_T[t] = dot(head.dout + t * shape.out_width(), head.out + t * shape.out_width(), dim);
    for (std::int64_t i = 0; i < T; i += kBlockRows)
      backward_block(shape, head, s, i, T - i < kBlockRows ? T - i : kBlockRows);
  }
  for (std::int64_t t = 0; t < T; ++t) {
    unpack_row(s.dk_TD + t * head_stride(shape), dim, 1.0f, dqkv + key_at + t * W);
    unpack_row(s.dv_TD + t * head_stride(shape), dim, 1.0f, dqkv + value_at + t * W);
  }
}

void backward_heads(const AttentionShape& shape, const float* qkv, const float* out,
                    const float* lse, const float* dout, std::int64_t begin, std::int64_t end,
                    float* dqkv, float* scratch) {
  const BackwardScratch pieces = divide(shape, scratch);
  for (std::int64_t unit = begin; unit < end; ++unit)
    backward_unit(shape, qkv, out, lse, dout, unit, dqkv, pieces);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(backward_heads);

std::int64_t attention_backward_scratch(const AttentionShape& shape) {
  return (2 * shape.head_dim + 2 * kMaxBlockRows) * score_stride(shape) +
         3 * (shape.length + kMaxBlockRows) * head_stride(shape) + padded(shape.length) + kLine;
}

void attention_backward(const AttentionShape& shape, const float* qkv, const float* out,
                        const float* lse, const float* dout, std::int64_t begin, std::int64_t end,
                        float* dqkv, float* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_heads)(shape, qkv, out, lse, dout, begin, end, dqkv, scratch);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
