// AdamW by our kernel on the CPU in fp32, by ATen's fused one elsewhere.
#include "train/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <vector>

#include "kernels/adamw.h"

namespace stagedtrain::train {
namespace {

bool own_kernels(model::ParamBuffer& params) {
  return params.weights().is_cpu() && params.weights().scalar_type() == at::kFloat;
}

void step_by_kernel(model::ParamBuffer& params, const model::Segment& s,
                    const kernels::AdamWStep& constants) {
  float* w = params.weights().data_ptr<float>() + s.offset;
  float* g = params.grads().data_ptr<float>() + s.offset;
  float* m = params.exp_avg().data_ptr<float>() + s.offset;
  float* v = params.exp_avg_sq().data_ptr<float>() + s.offset;
  at::parallel_for(0, s.count, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    kernels::adamw(constants, begin, end, true, w, g, m, v);
  });
}

void step_by_aten(model::ParamBuffer& params, const model::Segment& s, const AdamWOptions& o,
                  double lr, double decay, std::int64_t age, double gradient_factor) {
  const auto part = [&](at::Tensor& flat) { return flat.narrow(0, s.offset, s.count); };
  at::Tensor gradient = part(params.grads());
  if (gradient_factor != 1) gradient.mul_(gradient_factor);
  const at::Tensor steps = at::full({}, static_cast<double>(age),
                                    at::TensorOptions(at::kFloat).device(gradient.device()));
  at::_fused_adamw_({part(params.weights())}, {gradient}, {part(params.exp_avg())},
                    {part(params.exp_avg_sq())}, {}, {steps}, lr, o.beta1, o.beta2, decay, o.eps,
                    false, false);
  gradient.zero_();
}

}  // namespace

void adamw_step(model::ParamBuffer& params, const AdamWOptions& o, double lr, std::int64_t step,
                double gradient_factor) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& segment : params.segments()) {
    const std::int64_t age = step - segment.moment_start;
    const double decay = segment.decays ? o.weight_decay : 0;
    if (!own_kernels(params)) {
      step_by_aten(params, segment, o, lr, decay, age, gradient_factor);
      continue;
    }
    const double correction1 = 1 - std::pow(o.beta1, static_cast<double>(age));
    const double correction2 = 1 - std::pow(o.beta2, static_cast<double>(age));
    step_by_kernel(params, segment,
                   {lr, o.beta1, o.beta2, o.eps, decay, correction1, correction2, gradient_factor});
  }
}

at::Tensor gradient_norm(model::ParamBuffer& params) {
  if (!own_kernels(params)) return at::linalg_vector_norm(params.grads()).to(at::kDouble);
  const std::int64_t size = params.grads().numel();
  std::vector<double> partials(static_cast<std::size_t>(kernels::num_sum_blocks(size)));
  const float* g = params.grads().data_ptr<float>();
  at::parallel_for(0, static_cast<std::int64_t>(partials.size()), 2,
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::sum_of_squares(g, size, begin, end, partials.data());
                   });
  double sum = 0;
  for (double partial : partials) sum += partial;
  return at::scalar_tensor(std::sqrt(sum), at::kDouble);
}

}  // namespace stagedtrain::train
