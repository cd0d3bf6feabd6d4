// Converts tensors to the pointers, types and streams that the project's CUDA kernels take, and
// runs the optimizer's kernels on flat buffers.
#pragma once

#include <ATen/ATen.h>

#include "base/sum_order.h"
#include "cuda_kernels/launch.h"

namespace stagedtrain::model {

// Returns LibTorch's current stream on the tensor's device. Returns null for a CPU tensor, because
// tests run emulated kernels there.
void* stream_of(const at::Tensor& x);

template <class T>
struct TensorScalar {
  using Type = T;
};
template <>
struct TensorScalar<kernels::cuda::BFloat16> {
  using Type = at::BFloat16;
};

// Calls f with a value of the kernels' type for x's elements. Throws c10::Error for types other
// than float32 and bfloat16.
template <class F>
void with_type_of(const at::Tensor& x, F f) {
  if (x.scalar_type() == at::kBFloat16) return f(kernels::cuda::BFloat16{});
  TORCH_CHECK(x.scalar_type() == at::kFloat, "the fused CUDA kernels are for float32 and bfloat16");
  f(float{});
}

// Returns an uninitialized float32 tensor on x's device.
inline at::Tensor floats(const at::Tensor& x, at::IntArrayRef sizes) {
  return at::empty(sizes, x.options().dtype(at::kFloat));
}

// Return the data of a contiguous tensor, or null if it is undefined.
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

// Applies AdamW (cuda_kernels/launch.h) to a range of flat float32 buffers. copy is a flat bfloat16
// buffer, or undefined.
void cuda_adamw(const kernels::AdamWStep& step, const at::Tensor& w, const at::Tensor& g,
                const at::Tensor& m, const at::Tensor& v, const at::Tensor& copy,
                const Range& range);
// Returns the Euclidean norm of a contiguous float32 tensor as a 0-dim float64 tensor on its
// device.
at::Tensor cuda_norm(const at::Tensor& x);

}  // namespace stagedtrain::model
