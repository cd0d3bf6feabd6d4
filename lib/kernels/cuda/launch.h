// Own CUDA kernels, by their launches: nvcc compiles them for GPUs, the tests emulate them on a
// CPU. Pointers are of the device. A launch returns at once; errors come with the next
// synchronisation, as with all work on a CUDA stream. stream: a cudaStream_t; null: the default
// stream.
#pragma once

#include <cstdint>

#include "kernels/adamw.h"

namespace stagedtrain::kernels::cuda {

// The bits of a bfloat16, as c10::BFloat16 has them.
struct BFloat16 {
  std::uint16_t bits;
};

// What the kernels of this build run on; absent: there are none, and no launch may be called.
enum class Built { absent, for_gpu, for_emulator };
Built built();

// Sums over rows are made in this many groups, each in its own order, and then added: the same bits
// every time. A scratch array of partials has kGroups parts.
inline constexpr std::int64_t kGroups = 128;

// Each of the following is instantiated for T = float and BFloat16; arithmetic is in float.
// Arrays of rows are [rows, width].

// sum = x + added, y = LayerNorm(sum), or RMSNorm where mean is null (arXiv 1910.07467).
// added null: sum is x and not written. bias may be null. mean, rstd: [rows], for the backward.
template <class T>
struct AddNorm {
  const T *x, *added, *weight, *bias;
  T *sum, *y;
  float *mean, *rstd;
  std::int64_t rows, width;
  float eps;
};
template <class T>
void add_norm(const AddNorm<T>& arrays, void* stream);

// dx = dsum + the gradient through the norm of sum; dsum may be null. partials: [kGroups, 2,
// width]. dbias may be null.
template <class T>
struct AddNormBackward {
  const T *sum, *weight, *dy, *dsum;
  const float *mean, *rstd;
  T *dx, *dweight, *dbias;
  float* partials;
  std::int64_t rows, width;
};
template <class T>
void add_norm_backward(const AddNormBackward<T>& arrays, void* stream);

// y = gelu(x + bias), GELU by tanh. y may be x.
template <class T>
struct BiasGelu {
  const T *x, *bias;
  T* y;
  std::int64_t rows, width;
};
template <class T>
void bias_gelu(const BiasGelu<T>& arrays, void* stream);

// dx may be dy. partials: [kGroups, width].
template <class T>
struct BiasGeluBackward {
  const T *x, *bias, *dy;
  T *dx, *dbias;
  float* partials;
  std::int64_t rows, width;
};
template <class T>
void bias_gelu_backward(const BiasGeluBackward<T>& arrays, void* stream);

// y = silu(gate) * up; gate_up: [rows, 2 * width], gate first.
template <class T>
struct SwiGlu {
  const T* gate_up;
  T* y;
  std::int64_t rows, width;
};
template <class T>
void swiglu(const SwiGlu<T>& arrays, void* stream);

template <class T>
struct SwiGluBackward {
  const T *gate_up, *dy;
  T* dgate_up;
  std::int64_t rows, width;
};
template <class T>
void swiglu_backward(const SwiGluBackward<T>& arrays, void* stream);

// s = logit_scale * logits [rows, vocab]: losses[r] = lse - s[target], squares[r] = lse^2. Then
// logits become gradient * d(losses[r] + z_loss * squares[r]) / dlogits, unless gradient is 0.
template <class T>
struct CrossEntropy {
  T* logits;
  const std::int64_t* targets;
  float *losses, *squares;
  std::int64_t rows, vocab;
  float logit_scale, z_loss, gradient;
};
template <class T>
void cross_entropy(const CrossEntropy<T>& arrays, void* stream);

// As kernels::adamw, for `rows` runs of `count` numbers, `stride` from one's begin to the next;
// gradients are left at zero. copy: the new weights to nearest; may be null.
struct AdamWArrays {
  float *w, *g, *m, *v;
  BFloat16* copy;
  std::int64_t rows, count, stride;
};
void adamw(const AdamWStep& step, const AdamWArrays& arrays, void* stream);

// partials[i], i below kGroups: sums of squares that together are those of x.
void sum_of_squares(const float* x, std::int64_t size, double* partials, void* stream);

}  // namespace stagedtrain::kernels::cuda
