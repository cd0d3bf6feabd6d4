// Running models with random weights and batches of random tokens, the same every time.
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "model/model.h"
#include "support/catch.h"

namespace stagedtrain::test {

// Every tensor differs from its usual initial value, so that a forgotten bias shows.
inline void fill_weights(model::Model& model, std::uint64_t seed = 1) {
  model::ParamBuffer& params = model.params();
  at::manual_seed(seed);
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    const double base = spec.init.kind == arch::Init::Kind::constant ? spec.init.value : 0;
    const double spread = spec.axes.size() == 2 ? 0.15 : 0.1;
    params.view(params.weights(), i).copy_(base + spread * at::randn(spec.shape(), at::kDouble));
  }
  model.weights_changed();
}

inline std::unique_ptr<model::Model> make_filled(const arch::ModelConfig& config,
                                                 const model::ModelOptions& options) {
  auto model = model::make_model(config, options);
  fill_weights(*model);
  return model;
}

inline at::Tensor random_tokens(std::int64_t vocab, std::int64_t rows, std::int64_t columns,
                                std::uint64_t seed = 7) {
  at::manual_seed(seed);
  return at::randint(vocab, {rows, columns}, at::kLong);
}

inline at::Tensor in_double(const at::Tensor& x) { return x.detach().to(at::kCPU, at::kDouble); }

// The largest difference as a share of the largest value that is wanted; NaN if there is one.
inline double error_of(const at::Tensor& found, const at::Tensor& wanted) {
  REQUIRE(found.sizes() == wanted.sizes());
  const at::Tensor want = in_double(wanted);
  const double scale = std::max(want.abs().max().item<double>(), 1e-30);
  return (in_double(found) - want).abs().max().item<double>() / scale;
}

}  // namespace stagedtrain::test
