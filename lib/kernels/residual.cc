// Adds rows to rows with SIMD vectors.
#include "kernels/residual.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/residual.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void add_range(const float* x, const float* branch, float scale, std::int64_t begin,
               std::int64_t end, float* sum) {
  const Vec factor = set(scale);
  for_vectors(begin, end, [&](std::int64_t at, auto io) HWY_ATTR {
    io.store(hn::MulAdd(io.load(branch + at), factor, io.load(x + at)), sum + at);
  });
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(add_range);

void add_scaled(const float* x, const float* branch, float scale, std::int64_t begin,
                std::int64_t end, std::int64_t width, float* sum) {
  HWY_DYNAMIC_DISPATCH(add_range)(x, branch, scale, begin * width, end * width, sum);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
