// Computes the AdamW update and the sum of squares with SIMD vectors.
#include "kernels/adamw.h"

#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/adamw.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

template <bool kZeroGradient>
void adamw_range(const AdamWStep& step, std::int64_t begin, std::int64_t end, float* HWY_RESTRICT w,
                 float* HWY_RESTRICT g, float* HWY_RESTRICT m, float* HWY_RESTRICT v) {
  const auto constant = [](double x) HWY_ATTR { return set(static_cast<float>(x)); };
  const Vec factor = constant(step.gradient_factor),
            keep = constant(1 - step.lr * step.weight_decay);
  const Vec rate1 = constant(1 - step.beta1), beta2 = constant(step.beta2);
  const Vec rate2 = constant(1 - step.beta2), eps = constant(step.eps);
  const Vec root = constant(1 / std::sqrt(step.bias_correction2));
  const Vec size = constant(step.lr / step.bias_correction1);
  for_vectors(begin, end, [&](std::int64_t i, auto io) HWY_ATTR {
    const Vec gradient = hn::Mul(io.load(g + i), factor), m0 = io.load(m + i);
    const Vec m1 = hn::MulAdd(hn::Sub(gradient, m0), rate1, m0);
    const Vec v1 = hn::MulAdd(hn::Mul(gradient, gradient), rate2, hn::Mul(io.load(v + i), beta2));
    const Vec denominator = hn::MulAdd(hn::Sqrt(v1), root, eps);
    const Vec update = hn::Div(hn::Mul(m1, size), denominator);
    io.store(hn::MulSub(io.load(w + i), keep, update), w + i);
    io.store(m1, m + i);
    io.store(v1, v + i);
    if (kZeroGradient) io.store(zero(), g + i);
  });
}

void adamw_elements(const AdamWStep& step, std::int64_t begin, std::int64_t end, bool zero_gradient,
                    float* w, float* g, float* m, float* v) {
  (zero_gradient ? adamw_range<true> : adamw_range<false>)(step, begin, end, w, g, m, v);
}

// Squares are summed in double, so they neither overflow nor underflow, and the order of additions
// hardly matters.
double squares_of_block(const float* x, std::int64_t size) {
  const HWY_FULL(double) doubles;
  const hn::Rebind<float, decltype(doubles)> halves;
  const auto step = static_cast<std::int64_t>(hn::Lanes(doubles));
  auto a = hn::Zero(doubles), b = a, c = a, e = a;
  std::int64_t i = 0;
  const auto add_square = [&](auto& sum, std::int64_t at) HWY_ATTR {
    const auto value = hn::PromoteTo(doubles, hn::LoadU(halves, x + at));
    sum = hn::MulAdd(value, value, sum);
  };
  for (; i + 4 * step <= size; i += 4 * step) {
    add_square(a, i);
    add_square(b, i + step);
    add_square(c, i + 2 * step);
    add_square(e, i + 3 * step);
  }
  double sum = hn::GetLane(hn::SumOfLanes(doubles, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < size; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

void squares_of_blocks(const float* x, std::int64_t size, std::int64_t begin, std::int64_t end,
                       double* partials) {
  for (std::int64_t b = begin; b < end; ++b) {
    const std::int64_t rest = size - b * kSumBlock;
    partials[b] = squares_of_block(x + b * kSumBlock, rest < kSumBlock ? rest : kSumBlock);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(adamw_elements);
HWY_EXPORT(squares_of_blocks);

void adamw(const AdamWStep& step, std::int64_t begin, std::int64_t end, bool zero_gradient,
           float* w, float* g, float* m, float* v) {
  HWY_DYNAMIC_DISPATCH(adamw_elements)(step, begin, end, zero_gradient, w, g, m, v);
}

void sum_of_squares(const float* x, std::int64_t size, std::int64_t begin, std::int64_t end,
                    double* partials) {
  HWY_DYNAMIC_DISPATCH(squares_of_blocks)(x, size, begin, end, partials);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
