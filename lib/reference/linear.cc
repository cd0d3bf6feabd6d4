// Chooses between ATen and the kernel for few rows.
#include "reference/linear.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "model/few_rows.h"

namespace stagedtrain::model {
namespace {

constexpr std::int64_t kNumbersPerThread = 1 << 15;  // weights that are worth waking a thread

at::Tensor multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const bool narrow = x.scalar_type() == at::kBFloat16;
  const at::Tensor x_RI = x.to(at::kFloat);
  const at::Tensor bias_O = bias.defined() ? bias.to(at::kFloat) : bias;
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  const at::Tensor y = at::empty(sizes, x_RI.options());
  kernels::FewRowProduct product{x.numel() / x.size(-1), x.size(-1), weight.size(0)};
  product.x = x_RI.const_data_ptr<float>();
  if (narrow)
    product.w_bf16 = reinterpret_cast<const std::uint16_t*>(weight.const_data_ptr<at::BFloat16>());
  else
    product.w = weight.const_data_ptr<float>();
  product.bias = bias.defined() ? bias_O.const_data_ptr<float>() : nullptr;
  product.y = y.mutable_data_ptr<float>();
  const std::int64_t grain = std::max<std::int64_t>(1, kNumbersPerThread / product.ins);
  at::parallel_for(0, product.outs, grain, [&](std::int64_t begin, std::int64_t end) {
    kernels::multiply_few_rows(product, begin, end);
  });
  return narrow ? y.to(x.scalar_type()) : y;
}

}  // namespace

at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const bool few = has_few_rows(x, at::kFloat) || has_few_rows(x, at::kBFloat16);
  return few && weight.is_contiguous() ? multiply(x, weight, bias) : at::linear(x, weight, bias);
}

}  // namespace stagedtrain::model
