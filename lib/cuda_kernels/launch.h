// Launches the project's CUDA kernels. nvcc compiles them for GPUs, and tests emulate them on a
// CPU.
//
// All pointers are device pointers. A launch returns at once, and errors are reported by the next
// synchronisation, as for all work on a CUDA stream. stream is a cudaStream_t; null means the
// default stream.
#pragma once

#include <cstdint>

#include "kernels/adamw.h"

namespace stagedtrain::kernels::cuda {

// The bits of a bfloat16, in the representation of c10::BFloat16.
struct BFloat16 {
  std::uint16_t bits;
};

// Where the kernels of this build run. If there are none (absent), no launch may be called.
enum class Built { absent, for_gpu, for_emulator };
Built built();

// Sums over rows are computed in this many groups, each in its own fixed order, and the groups are
// then added in order, so the result has the same bits every time. Arrays of partials have kGroups
// parts.
inline constexpr std::int64_t kGroups = 128;

// Each of the following is instantiated for T = float and BFloat16, and computes in float. Arrays
// of rows have the shape [rows, width].

// Computes sum = x + added and y = LayerNorm(sum), or y = RMSNorm(sum) (arXiv 1910.07467) if mean
// is null. If added is null, the sum is x and is not written. bias may be null. mean and rstd
// [rows] are written for the backward pass.
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

// Computes dx = dsum + the gradient through the norm of sum. dsum and dbias may be null. partials
// has the shape [kGroups, 2, width].
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

// Computes y = gelu(x + bias) with GELU's tanh form. y may be x.
template <class T>
struct BiasGelu {
  const T *x, *bias;
  T* y;
  std::int64_t rows, width;
};
template <class T>
void bias_gelu(const BiasGelu<T>& arrays, void* stream);

// Computes the gradients of bias_gelu. dx may be dy. partials has the shape [kGroups, width].
template <class T>
struct BiasGeluBackward {
  const T *x, *bias, *dy;
  T *dx, *dbias;
  float* partials;
  std::int64_t rows, width;
};
template <class T>
void bias_gelu_backward(const BiasGeluBackward<T>& arrays, void* stream);

// Computes y = silu(gate) * up. gate_up has the shape [rows, 2 * width] with gate's columns first.
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

// With s = logit_scale * logits [rows, vocab] and lse = log(sum(exp(s))), computes losses[r] = lse
// - s[target] and squares[r] = lse^2. Then replaces the logits by gradient * d(losses[r] + z_loss *
// squares[r]) / dlogits, unless gradient is 0. Every target must be in [0, vocab).
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

// Does the same as kernels::adamw for `count` elements, and sets the gradients to zero. If copy is
// not null, it receives the new weights rounded to nearest.
struct AdamWArrays {
  float *w, *g, *m, *v;
  BFloat16* copy;
  std::int64_t count;
};
void adamw(const AdamWStep& step, const AdamWArrays& arrays, void* stream);

// Writes kGroups partial sums of squares, whose total is the sum of squares of x.
void sum_of_squares(const float* x, std::int64_t size, double* partials, void* stream);

}  // namespace stagedtrain::kernels::cuda
