// Small models of every architecture and way of computing, and their passes.
#pragma once

#include <fmt/format.h>

#include "arch/architectures.h"
#include "model/running_model.h"

namespace stagedtrain::test {

using model::Kernels;
using model::Precision;
using model::Recompute;

struct Way {
  const char* name;
  model::ModelOptions options;
};
inline std::vector<Way> ways() {
  return {{"fused", {.kernels = Kernels::fused}},
          {"fused, norms made again", {.kernels = Kernels::fused, .recompute = Recompute::norms}},
          {"fused, blocks made again", {.kernels = Kernels::fused, .recompute = Recompute::blocks}},
          {"reference", {.kernels = Kernels::reference}},
          {"reference, blocks made again",
           {.kernels = Kernels::reference, .recompute = Recompute::blocks}},
          {"reference in fp64", {.precision = Precision::fp64, .kernels = Kernels::reference}}};
}
inline std::vector<arch::ModelConfig> configs() {
  const auto config = [](const char* architecture, bool tied, std::int64_t experts = 0) {
    return arch::resolved({.architecture = architecture,
                           .layers = 4,
                           .width = 16,
                           .heads = 2,
                           .vocab = 61,
                           .context = 24,
                           .tied = tied,
                           .experts = experts,
                           .router_loss = 0});
  };
  return {config("gpt2", true),  config("llama", false),  config("olmo2", false),
          config("neox", false), config("gpt2", true, 3), config("qwen3", true, 3)};
}

// body(model) for every architecture and way of computing.
template <class Body>
void for_models(const Body& body) {
  for (const arch::ModelConfig& config : configs())
    for (const Way& way : ways()) {
      const bool refused = way.options.kernels == Kernels::fused &&
                           way.options.recompute == Recompute::blocks &&
                           arch::block_style(config).norms_after;
      if (refused) continue;
      const std::string name =
          fmt::format("{}, tied {}, {}", config.architecture, config.tied, way.name);
      CAPTURE(name);
      body(config, way.options);
    }
}

inline at::Tensor batch() { return random_tokens(61, 5, 25); }

struct Pass {
  double loss;
  at::Tensor grads;
};
inline Pass pass_of(model::Model& model) {
  model.params().grads().zero_();
  const double loss = model.loss_and_backward(batch(), 0.5, 3).item<double>();
  return {loss, model.params().grads().clone()};
}

// Half of the change of the loss from w - h d to w + h d, over h: d . dL/dw up to h^2.
inline double slope_along(model::Model& model, const at::Tensor& direction, double h) {
  const auto loss_at = [&](double factor) {
    model.params().weights().add_(direction, factor);
    const double loss = pass_of(model).loss;
    model.params().weights().add_(direction, -factor);
    return loss;
  };
  return (loss_at(h) - loss_at(-h)) / (2 * h);
}

}  // namespace stagedtrain::test
