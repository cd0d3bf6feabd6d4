// Adds up rows, column by column, for bias gradients and partial sums.
#include "kernels/bias.h"

#include "kernels/partial_sums.h"
#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/bias.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Adds four rows at a time, in a fixed tree, to read and write `out` less often. More rows would
// exceed the associativity of the cache where rows are a power of two bytes apart.
void sum_rows(const float* x, std::int64_t begin, std::int64_t end, std::int64_t width,
              std::int64_t stride, std::int64_t first_column, float* out) {
  std::int64_t r = begin;
  for (; r + 4 <= end; r += 4) {
    const float* row = x + r * stride;
    for_vectors(first_column, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const float* p = row + c;
      const Vec a = hn::Add(io.load(p), io.load(p + stride));
      const Vec b = hn::Add(io.load(p + 2 * stride), io.load(p + 3 * stride));
      io.store(hn::Add(io.load(out + c), hn::Add(a, b)), out + c);
    });
  }
  for (; r < end; ++r) {
    const float* row = x + r * stride;
    for_vectors(first_column, width, [&](std::int64_t c, auto io) HWY_ATTR {
      io.store(hn::Add(io.load(out + c), io.load(row + c)), out + c);
    });
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(sum_rows);

void bias_backward(const float* dy, std::int64_t begin, std::int64_t end, std::int64_t width,
                   float* dbias) {
  HWY_DYNAMIC_DISPATCH(sum_rows)(dy, begin, end, width, width, 0, dbias);
}

void add_partial_sums(const float* partials, std::int64_t count, std::int64_t stride,
                      std::int64_t begin, std::int64_t end, float* out) {
  HWY_DYNAMIC_DISPATCH(sum_rows)(partials, 0, count, end, stride, begin, out);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
