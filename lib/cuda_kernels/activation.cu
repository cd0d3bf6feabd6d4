// Computes bias with GELU, and SwiGLU, forward and backward, with one thread for each element.
#include "cuda_kernels/device.h"

namespace stagedtrain::kernels::cuda {
namespace {

__device__ inline float gelu_inner(float x) {
  return 0.7978845608028654f * (x + 0.044715f * x * x * x);  // sqrt(2 / pi)
}
__device__ inline float gelu(float x) { return 0.5f * x * (1 + tanhf(gelu_inner(x))); }
__device__ inline float gelu_slope(float x) {
  const float t = tanhf(gelu_inner(x));
  const float inner_slope = 0.7978845608028654f * (1 + 3 * 0.044715f * x * x);
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * inner_slope;
}
__device__ inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }

template <class T>
__global__ void bias_gelu_numbers(BiasGelu<T> a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * a.width) return;
  a.y[i] = narrow<T>(gelu(widen(a.x[i]) + widen(a.bias[i % a.width])));
}

// Each thread handles one column of one group of rows, and sums dx over them for the bias.
template <class T>
__global__ void bias_gelu_backward_columns(BiasGeluBackward<T> a) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= a.width) return;
  const std::int64_t group = blockIdx.y;
  const float bias = widen(a.bias[c]);
  float sum = 0;
  for (std::int64_t row = group; row < a.rows; row += kGroups) {
    const std::int64_t i = row * a.width + c;
    const float dx = widen(a.dy[i]) * gelu_slope(widen(a.x[i]) + bias);
    a.dx[i] = narrow<T>(dx);
    sum += dx;
  }
  a.partials[group * a.width + c] = sum;
}

template <class T>
__global__ void swiglu_numbers(SwiGlu<T> a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * a.width) return;
  const std::int64_t at = i / a.width * 2 * a.width + i % a.width;
  const float gate = widen(a.gate_up[at]), up = widen(a.gate_up[at + a.width]);
  a.y[i] = narrow<T>(gate * sigmoid(gate) * up);
}

template <class T>
__global__ void swiglu_backward_numbers(SwiGluBackward<T> a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * a.width) return;
  const std::int64_t at = i / a.width * 2 * a.width + i % a.width;
  const float gate = widen(a.gate_up[at]), up = widen(a.gate_up[at + a.width]);
  const float s = sigmoid(gate), dy = widen(a.dy[i]);
  a.dgate_up[at] = narrow<T>(dy * up * s * (1 + gate * (1 - s)));
  a.dgate_up[at + a.width] = narrow<T>(dy * gate * s);
}

}  // namespace

template <class T>
void bias_gelu(const BiasGelu<T>& a, void* stream) {
  ST_LAUNCH(bias_gelu_numbers<T>, blocks_for(a.rows * a.width), kThreads, stream, a);
}

template <class T>
void bias_gelu_backward(const BiasGeluBackward<T>& a, void* stream) {
  const dim3 grid(blocks_for(a.width), static_cast<unsigned>(kGroups));
  ST_LAUNCH(bias_gelu_backward_columns<T>, grid, kThreads, stream, a);
  ST_LAUNCH(add_partials<T>, blocks_for(a.width), kThreads, stream, a.partials, a.width, a.width,
            a.dbias);
}

template <class T>
void swiglu(const SwiGlu<T>& a, void* stream) {
  ST_LAUNCH(swiglu_numbers<T>, blocks_for(a.rows * a.width), kThreads, stream, a);
}

template <class T>
void swiglu_backward(const SwiGluBackward<T>& a, void* stream) {
  ST_LAUNCH(swiglu_backward_numbers<T>, blocks_for(a.rows * a.width), kThreads, stream, a);
}

template void bias_gelu(const BiasGelu<float>&, void*);
template void bias_gelu(const BiasGelu<BFloat16>&, void*);
template void bias_gelu_backward(const BiasGeluBackward<float>&, void*);
template void bias_gelu_backward(const BiasGeluBackward<BFloat16>&, void*);
template void swiglu(const SwiGlu<float>&, void*);
template void swiglu(const SwiGlu<BFloat16>&, void*);
template void swiglu_backward(const SwiGluBackward<float>&, void*);
template void swiglu_backward(const SwiGluBackward<BFloat16>&, void*);

}  // namespace stagedtrain::kernels::cuda
