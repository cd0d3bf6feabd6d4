// Runs AdamW over the flat buffers, and sums squares for gradient clipping, on a GPU.
#include "cuda_kernels/device.h"

namespace stagedtrain::kernels::cuda {
namespace {

// The constants of a step, rounded to the type of the arithmetic.
struct Constants {
  float factor, keep, rate1, beta2, rate2, root, size, eps;
};

__global__ void adamw_numbers(Constants k, AdamWArrays a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.count) return;
  const float g = a.g[i] * k.factor;
  const float m = a.m[i] + k.rate1 * (g - a.m[i]);
  const float v = k.beta2 * a.v[i] + k.rate2 * g * g;
  const float w = a.w[i] * k.keep - k.size * m / (sqrtf(v) * k.root + k.eps);
  a.w[i] = w;
  if (a.copy) a.copy[i] = narrow<BFloat16>(w);
  a.m[i] = m;
  a.v[i] = v;
  a.g[i] = 0;
}

__global__ void squares_of_groups(const float* x, std::int64_t size, double* partials) {
  double sum = 0;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (std::int64_t i = first; i < size; i += kGroups * kThreads)
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

}  // namespace

Built built() { return ST_BUILT; }

void adamw(const AdamWStep& step, const AdamWArrays& arrays, void* stream) {
  const Constants constants{static_cast<float>(step.gradient_factor),
                            static_cast<float>(1 - step.lr * step.weight_decay),
                            static_cast<float>(1 - step.beta1),
                            static_cast<float>(step.beta2),
                            static_cast<float>(1 - step.beta2),
                            static_cast<float>(1 / sqrt(step.bias_correction2)),
                            static_cast<float>(step.lr / step.bias_correction1),
                            static_cast<float>(step.eps)};
  ST_LAUNCH(adamw_numbers, blocks_for(arrays.count), kThreads, stream, constants, arrays);
}

void sum_of_squares(const float* x, std::int64_t size, double* partials, void* stream) {
  ST_LAUNCH(squares_of_groups, static_cast<unsigned>(kGroups), kThreads, stream, x, size, partials);
}

}  // namespace stagedtrain::kernels::cuda
