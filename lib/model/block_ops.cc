// Implements the operations of a block with ATen, and for few rows with kernels (model/few_rows.h).
#include "model/block_ops.h"

#include "kernels/layer_norm.h"
#include "kernels/residual.h"
#include "kernels/rms_norm.h"
#include "kernels/swiglu.h"
#include "model/few_rows.h"

namespace stagedtrain::model {
namespace {

// ---- A few rows of float32 on a CPU, without gradients.

std::int64_t rows_of(const at::Tensor& x) { return x.numel() / x.size(-1); }

Summed add_norm_few(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                    const at::Tensor& bias, double eps) {
  const std::int64_t rows = rows_of(x), width = x.size(-1);
  const at::Tensor y = at::empty_like(x);
  const at::Tensor sum = added.defined() ? at::empty_like(x) : x;
  if (added.defined())
    kernels::add_scaled(x.const_data_ptr<float>(), added.const_data_ptr<float>(), 1, 0, rows, width,
                        sum.mutable_data_ptr<float>());
  float mean[kernels::kFewRows], rstd[kernels::kFewRows];  // which nothing here needs
  const float *in = sum.const_data_ptr<float>(), *gamma = weight.const_data_ptr<float>();
  float* out = y.mutable_data_ptr<float>();
  if (bias.defined())
    kernels::layer_norm(in, gamma, bias.const_data_ptr<float>(), static_cast<float>(eps), 0, rows,
                        width, out, mean, rstd);
  else
    kernels::rms_norm(in, gamma, static_cast<float>(eps), 0, rows, width, out, rstd);
  return {sum, y};
}

at::Tensor swiglu_few(const at::Tensor& gate_up) {
  std::vector<std::int64_t> sizes = gate_up.sizes().vec();
  sizes.back() /= 2;
  const at::Tensor y = at::empty(sizes, gate_up.options());
  kernels::swiglu(gate_up.const_data_ptr<float>(), 0, rows_of(gate_up), sizes.back(),
                  y.mutable_data_ptr<float>());
  return y;
}

// ---- Any tensors.

// The statistics are computed in float32 for bfloat16 inputs, as in Hugging Face transformers.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
  const at::Tensor mean = wide.square().mean(-1, true);
  return (wide * (mean + eps).rsqrt()).to(x.scalar_type()) * weight;
}

Summed add_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                const at::Tensor& bias, double eps) {
  if (has_few_rows(x) && (!added.defined() || has_few_rows(added)))
    return add_norm_few(x, added, weight, bias, eps);
  const at::Tensor sum = added.defined() ? x + added : x;
  return {sum, bias.defined() ? at::layer_norm(sum, {x.size(-1)}, weight, bias, eps)
                              : rms_norm(sum, weight, eps)};
}

at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::gelu(at::linear(x, weight, bias), "tanh");
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  if (has_few_rows(gate_up)) return swiglu_few(gate_up);
  const auto parts = gate_up.chunk(2, -1);
  return at::silu(parts[0]) * parts[1];
}

Loss classifier_loss(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                     const LossTerms& terms) {
  const at::Tensor logits = at::linear(x, weight);
  const at::Tensor wide = logits.scalar_type() == at::kBFloat16 ? logits.to(at::kFloat) : logits;
  const at::Tensor scores = terms.logit_scale == 1 ? wide : wide * terms.logit_scale;
  const at::Tensor mean = at::cross_entropy_loss(scores, targets);
  at::Tensor objective = mean;
  if (terms.z_loss > 0)
    objective = objective + terms.z_loss * at::logsumexp(scores, {1}).square().mean();
  return {mean.detach(), objective * terms.scale};
}

}  // namespace

const BlockOps& aten_ops() {
  static const BlockOps ops{"reference", add_norm, linear_gelu, swiglu, classifier_loss};
  return ops;
}

std::int64_t rows_of_logits(std::int64_t vocab) {
  constexpr std::int64_t kNumbers = 1 << 27, kWhole = 128;  // 2^27 logits are 256 MiB in bfloat16
  return std::max(kNumbers / vocab / kWhole, std::int64_t{1}) * kWhole;
}

}  // namespace stagedtrain::model
