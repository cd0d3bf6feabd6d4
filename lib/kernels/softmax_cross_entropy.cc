// Computes cross-entropy and its gradient: exponentials block by block, then one scaling pass.
#include "kernels/softmax_cross_entropy.h"

#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// A row is cut into at most this many blocks. Each block is exponentiated relative to its own
// maximum while it is in the first-level cache, so the sum takes one pass over the row in memory. A
// factor for each block corrects for the maximum of the row later.
inline constexpr std::int64_t kMaxBlocks = 64;

struct RowSoftmax {
  std::int64_t block = 0, count = 0;  // logits in a block; number of blocks
  float block_max[kMaxBlocks];
  float max = 0;
  double sum = 0;  // sum of exp(x - max)
  double log_sum_exp() const { return static_cast<double>(max) + std::log(sum); }
};

HWY_INLINE float block_maximum(const float* x, std::int64_t begin, std::int64_t end) {
  Vec largest = set(x[begin]);
  for_vectors(begin, end, [&](std::int64_t c, auto io) HWY_ATTR {
    largest = hn::Max(largest, io.keep(io.load(x + c), largest));
  });
  return max_of_lanes(largest);
}

// Returns the sum of exp(x - largest). If kStore is true, the exponentials replace x.
template <bool kStore>
HWY_INLINE float block_sum(float* x, std::int64_t begin, std::int64_t end, float largest) {
  Vec sum = zero();
  for_vectors(begin, end, [&](std::int64_t c, auto io) HWY_ATTR {
    const Vec e = exp_of(hn::Sub(io.load(x + c), set(largest)));
    if (kStore) io.store(e, x + c);
    sum = hn::Add(sum, io.keep(e, zero()));
  });
  return sum_of_lanes(sum);
}

template <bool kStore>
HWY_INLINE void row_softmax(float* x, std::int64_t vocab, RowSoftmax& row) {
  const std::int64_t share = (vocab + kMaxBlocks - 1) / kMaxBlocks;
  row.block = share <= 1024 ? 1024 : (share + 15) / 16 * 16;
  row.count = (vocab + row.block - 1) / row.block;
  float sums[kMaxBlocks];
  for (std::int64_t b = 0; b < row.count; ++b) {
    const std::int64_t begin = b * row.block;
    const std::int64_t end = begin + row.block < vocab ? begin + row.block : vocab;
    row.block_max[b] = block_maximum(x, begin, end);
    sums[b] = block_sum<kStore>(x, begin, end, row.block_max[b]);
    if (b == 0 || row.block_max[b] > row.max) row.max = row.block_max[b];
  }
  row.sum = 0;
  for (std::int64_t b = 0; b < row.count; ++b)
    row.sum += row.count == 1 ? sums[b]
                              : sums[b] * std::exp(static_cast<double>(row.block_max[b] - row.max));
}

// Turns the stored exponentials into probability * weight.
HWY_INLINE void scale_row(float* x, std::int64_t vocab, const RowSoftmax& row, double weight) {
  for (std::int64_t b = 0; b < row.count; ++b) {
    const std::int64_t begin = b * row.block;
    const std::int64_t end = begin + row.block < vocab ? begin + row.block : vocab;
    const double correction =
        row.count == 1 ? 1.0 : std::exp(static_cast<double>(row.block_max[b] - row.max));
    const Vec factor = set(static_cast<float>(correction * weight / row.sum));
    for_vectors(begin, end, [&](std::int64_t c, auto io) HWY_ATTR {
      io.store(hn::Mul(io.load(x + c), factor), x + c);
    });
  }
}

void loss_and_gradient_rows(const LogitChunk& chunk, std::int64_t begin, std::int64_t end,
                            float scale, float z_loss, double* losses) {
  for (std::int64_t r = begin; r < end; ++r) {
    float* x = chunk.logits + r * chunk.stride;
    const std::int32_t target = chunk.targets[chunk.first_row + r];
    std::int64_t padding = chunk.vocab;
    losses[r] = 0;
    if (target < 0) {
      padding = 0;
    } else {
      const double logit = x[target];
      RowSoftmax row;
      row_softmax<true>(x, chunk.vocab, row);
      const double lse = row.log_sum_exp();
      losses[r] = lse - logit;
      scale_row(x, chunk.vocab, row, scale * (1 + 2 * z_loss * lse));
      x[target] -= scale;
    }
    for (std::int64_t c = padding; c < chunk.stride; ++c) x[c] = 0;
  }
}

void loss_rows(const LogitChunk& chunk, std::int64_t begin, std::int64_t end, double* losses) {
  for (std::int64_t r = begin; r < end; ++r) {
    float* x = chunk.logits + r * chunk.stride;
    const std::int32_t target = chunk.targets[chunk.first_row + r];
    losses[r] = 0;
    if (target < 0) continue;
    RowSoftmax row;
    row_softmax<false>(x, chunk.vocab, row);
    losses[r] = row.log_sum_exp() - x[target];
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(loss_and_gradient_rows);
HWY_EXPORT(loss_rows);

void softmax_cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end,
                           float scale, float z_loss, double* losses) {
  HWY_DYNAMIC_DISPATCH(loss_and_gradient_rows)(chunk, begin, end, scale, z_loss, losses);
}

void cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end, double* losses) {
  HWY_DYNAMIC_DISPATCH(loss_rows)(chunk, begin, end, losses);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
