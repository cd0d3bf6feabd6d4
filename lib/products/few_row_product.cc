// Computes products of few rows at the speed at which memory delivers the weight.
//
// A product of one row does two operations for each number of the weight, so memory is the limit,
// and packing the weight (packed_product.h) would read it twice. Here each row of the weight is
// read once, from its first to its last number, and multiplied with all rows of x, which stay in
// the first-level cache. One row after the other is one stream, which the processor prefetches;
// several rows side by side were slower.
//
// An output is the sum of kChains partial sums, each over every kChains-th vector. They are added
// in a fixed order, so an output has the same bits for any number of rows and threads.
#include "products/few_row_product.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "products/few_row_product.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// With four rows, this many sums of each fit into the 16 registers of AVX2.
inline constexpr int kChains = 3;

// Loads a vector of weights as floats.
HWY_INLINE Vec wide(const float* p) { return load(p); }
HWY_INLINE Vec wide(const std::uint16_t* p) {
  const hn::Rebind<std::uint16_t, Floats> halves;
  const hn::RebindToUnsigned<Floats> bits;
  return hn::BitCast(kFloats, hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(halves, p))));
}
// Loads the last n < lanes() weights of a row; the other lanes are zero.
HWY_INLINE Vec wide_tail(const float* p, std::int64_t n) { return load_tail(p, n); }
HWY_INLINE Vec wide_tail(const std::uint16_t* p, std::int64_t n) {
  std::uint16_t copy[HWY_LANES(float)] = {};
  for (std::int64_t i = 0; i < n; ++i) copy[i] = p[i];
  return wide(copy);
}

// Computes output `out` of R rows.
template <int R, class Weight>
HWY_INLINE void multiply_row(const FewRowProduct& p, const Weight* HWY_RESTRICT w,
                             std::int64_t out) {
  const std::int64_t step = lanes();
  Vec sums[R][kChains];
  for (int r = 0; r < R; ++r)
    for (int k = 0; k < kChains; ++k) sums[r][k] = zero();
  std::int64_t i = 0;
  for (; i + kChains * step <= p.ins; i += kChains * step)
    for (int k = 0; k < kChains; ++k) {
      const Vec weights = wide(w + i + k * step);
      for (int r = 0; r < R; ++r)
        sums[r][k] = hn::MulAdd(load(p.x + r * p.ins + i + k * step), weights, sums[r][k]);
    }
  for (; i + step <= p.ins; i += step) {
    const Vec weights = wide(w + i);
    for (int r = 0; r < R; ++r)
      sums[r][0] = hn::MulAdd(load(p.x + r * p.ins + i), weights, sums[r][0]);
  }
  if (i < p.ins) {
    const Vec weights = wide_tail(w + i, p.ins - i);
    for (int r = 0; r < R; ++r)
      sums[r][0] = hn::MulAdd(load_tail(p.x + r * p.ins + i, p.ins - i), weights, sums[r][0]);
  }
  for (int r = 0; r < R; ++r) {
    Vec all = sums[r][0];
    for (int k = 1; k < kChains; ++k) all = hn::Add(all, sums[r][k]);
    const float sum = sum_of_lanes(all);
    p.y[r * p.outs + out] = p.bias != nullptr ? sum + p.bias[out] : sum;
  }
}

template <int R, class Weight>
void multiply_outs(const FewRowProduct& p, const Weight* w, std::int64_t begin, std::int64_t end) {
  for (std::int64_t out = begin; out < end; ++out) multiply_row<R>(p, w + out * p.ins, out);
}

template <class Weight>
void multiply_with(const FewRowProduct& p, const Weight* w, std::int64_t begin, std::int64_t end) {
  switch (p.rows) {
    case 1:
      return multiply_outs<1>(p, w, begin, end);
    case 2:
      return multiply_outs<2>(p, w, begin, end);
    case 3:
      return multiply_outs<3>(p, w, begin, end);
    default:
      return multiply_outs<4>(p, w, begin, end);
  }
}

void multiply_range_of_few(const FewRowProduct& p, std::int64_t begin, std::int64_t end) {
  if (p.w != nullptr)
    multiply_with(p, p.w, begin, end);
  else
    multiply_with(p, p.w_bf16, begin, end);
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(multiply_range_of_few);

void multiply_few_rows(const FewRowProduct& product, std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(multiply_range_of_few)(product, begin, end);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
