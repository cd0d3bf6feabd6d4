// Passes LibTorch's tensors and streams to the CUDA kernels for AdamW and for norms.
#include "model/cuda_arrays.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace stagedtrain::model {

void* stream_of(const at::Tensor& x) {
  if (x.is_cpu()) return nullptr;
  return c10::impl::VirtualGuardImpl(x.device().type()).getStream(x.device()).native_handle();
}

void cuda_adamw(const kernels::AdamWStep& step, const at::Tensor& w, const at::Tensor& g,
                const at::Tensor& m, const at::Tensor& v, const at::Tensor& copy,
                const Range& range) {
  using kernels::cuda::BFloat16;
  const auto at = [&](const at::Tensor& flat) { return written_by<float>(flat) + range.begin; };
  BFloat16* const rounded = copy.defined() ? written_by<BFloat16>(copy) + range.begin : nullptr;
  kernels::cuda::adamw(step, {at(w), at(g), at(m), at(v), rounded, range.size()}, stream_of(w));
}

at::Tensor cuda_norm(const at::Tensor& x) {
  const at::Tensor partials = at::empty({kernels::cuda::kGroups}, x.options().dtype(at::kDouble));
  kernels::cuda::sum_of_squares(read_by<float>(x), x.numel(), written_by<double>(partials),
                                stream_of(x));
  return partials.sum().sqrt();
}

}  // namespace stagedtrain::model
