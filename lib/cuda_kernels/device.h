// Defines what all CUDA kernels share: launching, bfloat16 conversion, and sums over a block.
#pragma once

#include "cuda_kernels/launch.h"

#ifdef __CUDACC__
#define ST_BUILT Built::for_gpu
#define ST_LAUNCH(kernel, grid, block, stream, ...) \
  kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#else
// The tests' build includes tests/support/cuda_emulator.h before this file.
#define ST_BUILT Built::for_emulator
#define ST_LAUNCH(kernel, grid, block, stream, ...) \
  ::cuda_emulator::launch(grid, block, stream, [&] { kernel(__VA_ARGS__); })
#endif

namespace stagedtrain::kernels::cuda {

inline constexpr int kThreads = 256;  // threads of a block; a multiple of a warp's 32

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(BFloat16 x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}

// Rounds to nearest, ties to even. NaN stays NaN.
template <class T>
__device__ inline T narrow(float x);
template <>
__device__ inline float narrow<float>(float x) {
  return x;
}
template <>
__device__ inline BFloat16 narrow<BFloat16>(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 64)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

// Combines one value from each thread of the block with f, always in the same order. All threads
// must call it together, and each gets the result.
template <class Number, class F>
__device__ inline Number over_block(Number x, F f) {
  __shared__ Number of_warp[kThreads / 32];
  for (int lane = 16; lane > 0; lane /= 2) x = f(x, __shfl_xor_sync(0xffffffffu, x, lane));
  __syncthreads();  // everyone has read the values of the previous call
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
  __syncthreads();
  Number result = of_warp[0];
  for (int warp = 1; warp < kThreads / 32; ++warp) result = f(result, of_warp[warp]);
  return result;
}
template <class Number>
__device__ inline Number block_sum(Number x) {
  return over_block(x, [](Number a, Number b) { return a + b; });
}
__device__ inline float block_max(float x) {
  return over_block(x, [](float a, float b) { return fmaxf(a, b); });
}

inline unsigned blocks_for(std::int64_t threads) {
  return static_cast<unsigned>((threads + kThreads - 1) / kThreads);
}

// Sets to[c] to the sum of element c of the kGroups partials, in order. Partials lie `stride`
// apart.
template <class T>
__global__ void add_partials(const float* partials, std::int64_t stride, std::int64_t width,
                             T* to) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= width) return;
  float sum = 0;
  for (std::int64_t group = 0; group < kGroups; ++group) sum += partials[group * stride + c];
  to[c] = narrow<T>(sum);
}

}  // namespace stagedtrain::kernels::cuda
