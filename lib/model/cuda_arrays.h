// Tensors as own CUDA kernels take them, and the optimizer's part of those kernels.
#pragma once

#include <ATen/ATen.h>

#include "kernels/cuda/launch.h"

namespace stagedtrain::model {

// The stream that LibTorch's own work on this tensor's device goes to; null on a CPU, where the
// tests' emulated kernels run.
void* stream_of(const at::Tensor& x);

template <class T>
struct TensorScalar {
  using Type = T;
};
template <>
struct TensorScalar<kernels::cuda::BFloat16> {
  using Type = at::BFloat16;
};

// f with a number of the kernels' type for x.
template <class F>
void with_type_of(const at::Tensor& x, F f) {
  if (x.scalar_type() == at::kBFloat16) return f(kernels::cuda::BFloat16{});
  TORCH_CHECK(x.scalar_type() == at::kFloat, "own CUDA kernels are for float32 and bfloat16");
  f(float{});
}

// float32, on x's device.
inline at::Tensor floats(const at::Tensor& x, at::IntArrayRef sizes) {
  return at::empty(sizes, x.options().dtype(at::kFloat));
}

// The numbers of a contiguous tensor; null where it is undefined.
template <class T>
const T* read_by(const at::Tensor& x) {
  using Scalar = typename TensorScalar<T>::Type;
  return x.defined() ? reinterpret_cast<const T*>(x.const_data_ptr<Scalar>()) : nullptr;
}
template <class T>
T* written_by(const at::Tensor& x) {
  using Scalar = typename TensorScalar<T>::Type;
  return x.defined() ? reinterpret_cast<T*>(x.mutable_data_ptr<Scalar>()) : nullptr;
}

// `rows` runs of `count` numbers of flat buffers, `stride` from one's begin to the next.
struct FlatRuns {
  std::int64_t offset = 0, rows = 1, count = 0, stride = 0;
};
// kernels/cuda/launch.h's AdamW on runs of flat float32 buffers; copy: bfloat16, or undefined.
void cuda_adamw(const kernels::AdamWStep& step, const at::Tensor& w, const at::Tensor& g,
                const at::Tensor& m, const at::Tensor& v, const at::Tensor& copy,
                const FlatRuns& runs);
// The Euclidean norm of a contiguous float32 tensor, 0-dim, float64, on its device.
at::Tensor cuda_norm(const at::Tensor& x);

}  // namespace stagedtrain::model
