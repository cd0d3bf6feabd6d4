// Computes residual addition with LayerNorm or RMSNorm, and its backward, with a block of threads
// for each row.
#include "cuda_kernels/device.h"

namespace stagedtrain::kernels::cuda {
namespace {

template <class T>
__global__ void add_norm_rows(AddNorm<T> a) {
  const std::int64_t row = blockIdx.x, first = row * a.width;
  const T* sum = a.added ? a.sum : a.x;  // each thread reads back only what it wrote itself
  float total = 0;
  for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) {
    if (a.added) a.sum[first + c] = narrow<T>(widen(a.x[first + c]) + widen(a.added[first + c]));
    total += widen(sum[first + c]);
  }
  const float width = static_cast<float>(a.width);
  const float mean = a.mean ? block_sum(total) / width : 0;
  float squares = 0;
  for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) {
    const float centered = widen(sum[first + c]) - mean;
    squares += centered * centered;
  }
  const float rstd = 1 / sqrtf(block_sum(squares) / width + a.eps);
  for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) {
    const float y = (widen(sum[first + c]) - mean) * rstd * widen(a.weight[c]);
    a.y[first + c] = narrow<T>(a.bias ? y + widen(a.bias[c]) : y);
  }
  if (threadIdx.x > 0) return;
  if (a.mean) a.mean[row] = mean;
  a.rstd[row] = rstd;
}

// Block g handles rows g, g + kGroups, ... and keeps their sums for weight and bias, where each
// thread owns its columns.
template <class T>
__global__ void add_norm_backward_rows(AddNormBackward<T> a) {
  const std::int64_t group = blockIdx.x;
  float* const of_weight = a.partials + group * 2 * a.width;
  float* const of_bias = of_weight + a.width;
  const float width = static_cast<float>(a.width);
  for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) of_weight[c] = of_bias[c] = 0;
  for (std::int64_t row = group; row < a.rows; row += kGroups) {
    const std::int64_t first = row * a.width;
    const float mean = a.mean ? a.mean[row] : 0, rstd = a.rstd[row];
    const auto normed = [&](std::int64_t c) { return (widen(a.sum[first + c]) - mean) * rstd; };
    float sum = 0, product = 0;
    for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) {
      const float dy = widen(a.dy[first + c]), scaled = dy * widen(a.weight[c]);
      sum += scaled;
      product += scaled * normed(c);
      of_weight[c] += dy * normed(c);
      of_bias[c] += dy;
    }
    const float mean_of_g = a.mean ? block_sum(sum) / width : 0;
    const float mean_of_product = block_sum(product) / width;
    for (std::int64_t c = threadIdx.x; c < a.width; c += kThreads) {
      const float g = widen(a.dy[first + c]) * widen(a.weight[c]);
      const float through = rstd * (g - mean_of_g - normed(c) * mean_of_product);
      a.dx[first + c] = narrow<T>(a.dsum ? through + widen(a.dsum[first + c]) : through);
    }
  }
}

}  // namespace

template <class T>
void add_norm(const AddNorm<T>& a, void* stream) {
  ST_LAUNCH(add_norm_rows<T>, static_cast<unsigned>(a.rows), kThreads, stream, a);
}

template <class T>
void add_norm_backward(const AddNormBackward<T>& a, void* stream) {
  ST_LAUNCH(add_norm_backward_rows<T>, static_cast<unsigned>(kGroups), kThreads, stream, a);
  const unsigned blocks = blocks_for(a.width);
  ST_LAUNCH(add_partials<T>, blocks, kThreads, stream, a.partials, 2 * a.width, a.width, a.dweight);
  if (a.dbias)
    ST_LAUNCH(add_partials<T>, blocks, kThreads, stream, a.partials + a.width, 2 * a.width, a.width,
              a.dbias);
}

template void add_norm(const AddNorm<float>&, void*);
template void add_norm(const AddNorm<BFloat16>&, void*);
template void add_norm_backward(const AddNormBackward<float>&, void*);
template void add_norm_backward(const AddNormBackward<BFloat16>&, void*);

}  // namespace stagedtrain::kernels::cuda
