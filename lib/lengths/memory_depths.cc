// Searches all ways to divide the layers among the stages.
#include "lengths/memory_depths.h"

#include <algorithm>

#include "arch/architectures.h"
#include "base/error.h"
#include "plan/memory.h"
#include "policies/adapters.h"
#include "text/counted.h"

namespace stagedtrain::plan {
namespace {

double layer_parameters(const arch::ModelConfig& model) {
  double count = 0;
  for (const arch::ParamSpec& spec : arch::param_table(model))
    if (spec.layer == 0) count += static_cast<double>(spec.count());
  return count;
}

double bytes_of(const schedule::Schedule& s, const arch::ModelConfig& model, double parameters) {
  const MemoryParts parts = training_memory(s, model, static_cast<std::int64_t>(parameters));
  return parts.weights + parts.gradients + parts.moments;
}

}  // namespace

double most_bytes(const std::vector<std::int64_t>& depths, const LayerBytes& bytes) {
  double most = 0;
  std::int64_t before = 0;
  for (const std::int64_t depth : depths) {
    most = std::max(most, bytes.trained * static_cast<double>(depth - before) +
                              bytes.frozen * static_cast<double>(before));
    before = depth;
  }
  return most;
}

std::vector<std::int64_t> depths_of_least_memory(std::int64_t layers, std::int64_t stages,
                                                 const LayerBytes& bytes) {
  if (stages < 2 || stages > 3 || layers < stages)
    throw usage_error(
        "step: found {} for {}, expected 2 or 3 stages, each with at least one new layer",
        counted(stages, "stage"), counted(layers, "layer"))
        .with_hint("give another --stages");
  std::vector<std::int64_t> best;
  for (std::int64_t first = layers - stages + 1; first >= 1; --first)
    for (std::int64_t second = stages == 2 ? layers : layers - 1; second > first; --second) {
      std::vector<std::int64_t> depths = {first, second};
      if (stages == 3) depths.push_back(layers);
      if (best.empty() || most_bytes(depths, bytes) < most_bytes(best, bytes)) best = depths;
      if (stages == 2) break;
    }
  return best;
}

LayerBytes bytes_of_layers(const schedule::Schedule& s, const arch::ModelConfig& model) {
  const double parameters = layer_parameters(model);
  arch::ModelConfig layer = model;
  layer.layers = 1;
  schedule::Policies keys;
  keys.adapters.emplace();
  const Policy& policy = adapters();
  const PolicyStage stage{layer, 0, keys};
  const double number = s.precision == schedule::Precision::fp64 ? 8 : 4;
  const double trained = bytes_of(s, model, parameters);
  return {trained, trained + policy.more_memory(stage, number)};
}

}  // namespace stagedtrain::plan
