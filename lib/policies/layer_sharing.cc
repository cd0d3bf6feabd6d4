// The policy layer_sharing: trains a few layers as if they were a deep model of random depth
// (Apollo, arXiv 2401.09192).
//
// A stage of u layers draws a depth n from u to `layers`, L, for each pass, and executes the layers
// floor(i u / n) for i < n: each layer several times in a row. The paper's low-value-prioritized
// sampling draws mostly small n. With x uniform in [lo, 1], lo = 1e-6,
//   y = clip(m / (x + c), 1, L / u), n = floor(y u), where b = L / u + .4, e = .6,
//   c = (b lo - e) / (e - b), m = e (c + 1),
// so that P(n >= d) = P(x <= m u / d - c), and E n = u + the sum over d from u + 1 to L of
//   P(n >= d) = (m u / d - c - lo) / (1 - lo), within [0, 1].
// For L = 12 this is 1.7668, 4.2256 and 7.1354 with 1, 3 and 6 layers. n is drawn by inverting it.
#include <algorithm>

#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kLowest = 1e-6, kAbove = 0.4, kFloor = 0.6;

// Returns the probability that at least `depth` layers are executed; 1 for those of the model.
double chance_of_depth(const PolicyStage& stage, std::int64_t depth) {
  const auto unique = static_cast<double>(stage.model.layers),
             most = static_cast<double>(stage.keys.layer_sharing->layers),
             asked = static_cast<double>(depth);
  if (depth <= stage.model.layers) return 1;
  if (stage.keys.layer_sharing->sampling == schedule::DepthSampling::uniform)
    return (most - asked + 1) / (most - unique + 1);
  const double top = most / unique + kAbove;
  const double c = (top * kLowest - kFloor) / (kFloor - top), m = kFloor * (c + 1);
  return std::clamp((m * unique / asked - c - kLowest) / (1 - kLowest), 0.0, 1.0);
}

double mean_depth(const PolicyStage& stage) {
  auto sum = static_cast<double>(stage.model.layers);
  for (std::int64_t d = stage.model.layers + 1; d <= stage.keys.layer_sharing->layers; ++d)
    sum += chance_of_depth(stage, d);
  return sum;
}

arch::StepWork work(const PolicyStage& stage, std::int64_t, const CounterRng& draws) {
  const std::int64_t unique = stage.model.layers, most = stage.keys.layer_sharing->layers;
  const double x = draws.uniform(0);
  std::int64_t depth = unique;
  while (depth < most && x < chance_of_depth(stage, depth + 1)) ++depth;
  std::vector<arch::LayerWork> layers;
  for (std::int64_t i = 0; i < depth; ++i) {
    const std::int64_t layer = i * unique / depth;
    const bool again = !layers.empty() && layers.back().layer == layer;
    layers.push_back({.layer = layer, .use = again ? layers.back().use + 1 : 0});
  }
  return {.layers = std::move(layers)};
}

std::string refusal(const PolicyStage& stage) {
  const std::int64_t most = stage.keys.layer_sharing->layers;
  if (stage.model.layers == 0) return "found in a model without layers, expected at least 1 layer";
  if (most >= stage.model.layers) return "";
  return fmt::format("layers: found {}, expected at least {}, the layers of this stage's model",
                     most, stage.model.layers);
}

std::string description(const PolicyStage& stage) {
  return fmt::format(
      "shared layers: each pass executes {} to {} layers, {:.2f} on average, with the weights of "
      "{}",
      stage.model.layers, stage.keys.layer_sharing->layers, mean_depth(stage), stage.model.layers);
}

}  // namespace

const Policy& layer_sharing() {
  static const Policy policy = {
      .key = "layer_sharing",
      .is_on = [](const schedule::Policies& keys) { return keys.layer_sharing.has_value(); },
      .mean_flops =
          [](const PolicyStage& stage, std::int64_t length) {
            return arch::mean_flops_per_token(stage.model, mean_depth(stage), length);
          },
      .chance = [](const PolicyStage&, std::int64_t, std::int64_t) { return 1.0; },
      .refusal = refusal,
      .description = description,
      .work = work,
      .draw = [](const schedule::Policies& keys) { return keys.layer_sharing->draw; },
      .most_layers = [](const PolicyStage& stage) { return stage.keys.layer_sharing->layers; }};
  return policy;
}

}  // namespace stagedtrain::plan
