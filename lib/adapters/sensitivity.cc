// Sums are in float64, because windows are compared by differences of sums over whole matrices.
#include "adapters/sensitivity.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"

namespace stagedtrain::train {

Sensitivity::Sensitivity(model::Model& model, std::vector<std::size_t> tensors)
    : model_(model), tensors_(std::move(tensors)) {
  model::ParamBuffer& params = model_.params();
  for (const std::size_t i : tensors_)
    sums_.push_back(at::zeros(params.view(params.weights(), i).sizes(),
                              params.weights().options().dtype(at::kDouble)));
}

void Sensitivity::add(const at::Tensor& tokens_1S) {
  ST_CHECK(tokens_1S.size(0) == 1, "{} sequences at once", tokens_1S.size(0));
  model_.loss_and_backward(tokens_1S, 1, 0);
  const at::NoGradGuard no_grad;
  model::ParamBuffer& params = model_.params();
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    sums_[i] += params.view(params.weights(), tensors_[i])
                    .to(at::kDouble)
                    .mul(params.view(params.grads(), tensors_[i]))
                    .abs_();
  params.grads().zero_();
}

at::Tensor Sensitivity::of(std::size_t tensor) const {
  const auto found = std::ranges::find(tensors_, tensor);
  ST_CHECK(found != tensors_.end(), "tensor {} is not measured", tensor);
  return sums_[static_cast<std::size_t>(found - tensors_.begin())].to(at::kCPU);
}

}  // namespace stagedtrain::train
