// Running the small models of the laws: losses, gradients and differences of whole states, in
// float64.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "apply/apply.h"
#include "laws/growth_cases.h"
#include "model/model.h"
#include "runfolder/device_state.h"

namespace stagedtrain::test {

// These models are so small that a second thread costs a hundred times what it gives.
class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

inline std::unique_ptr<model::Model> running(const state::TrainingState& state,
                                             model::Precision precision = model::Precision::fp64) {
  auto model = model::make_model(state.model,
                                 {.precision = precision, .kernels = model::Kernels::reference});
  model->params().load(state);
  model->weights_changed();
  if (state.mask.steps > 0) model->set_mask({train::model_before_mask(header_of(state)), 0});
  return model;
}

// Tokens [4, context + 1], other ones for each step.
inline at::Tensor batch(const arch::ModelConfig& model, std::int64_t step = 0) {
  const CounterRng rng(5, static_cast<std::uint64_t>(step));
  at::Tensor tokens_BS = at::empty({4, model.context + 1}, at::kLong);
  for (std::int64_t i = 0; i < tokens_BS.numel(); ++i)
    tokens_BS.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(model.vocab)));
  return tokens_BS;
}

inline double loss_of(const state::TrainingState& state,
                      model::Precision precision = model::Precision::fp64) {
  return running(state, precision)->row_losses(batch(state.model)).mean().item<double>();
}

// Replaces the moments by the gradient on one batch and its square.
inline void put_gradient(state::TrainingState& state) {
  const auto model = running(state);
  model->loss_and_backward(batch(state.model), 1.0, 0);
  model::ParamBuffer& params = model->params();
  params.exp_avg().copy_(params.grads());
  params.exp_avg_sq().copy_(params.grads().square());
  params.store(state);
}

inline state::TrainingState grown(const grow::GrowthRecipe& recipe,
                                  const state::TrainingState& from) {
  return grow::apply(recipe, clone(from));
}

inline double largest(const state::HostTensor& x) {
  double most = 0;
  for (std::int64_t i = 0; i < x.count(); ++i) most = std::max(most, std::abs(x.at(i)));
  return most;
}
inline double largest_difference(const state::HostTensor& a, const state::HostTensor& b) {
  double most = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) most = std::max(most, std::abs(a.at(i) - b.at(i)));
  return most;
}
inline double largest(const std::vector<state::HostTensor>& tensors) {
  double most = 0;
  for (const state::HostTensor& x : tensors) most = std::max(most, largest(x));
  return most;
}
inline double largest_difference(const std::vector<state::HostTensor>& a,
                                 const std::vector<state::HostTensor>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, largest_difference(a[i], b[i]));
  return most;
}

}  // namespace stagedtrain::test
