// Which layers one pass of a training step runs, how much of each, and how its branches are scaled.
//
// A training policy (policies/policy.h) computes it as a pure function of the plan, the step and
// the seed. The model, the optimizer, the FLOP counter and the run log read the same value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// One run of a layer in a pass.
struct LayerWork {
  std::int64_t layer = 0;   // of the model
  double scale = 1;         // multiplies what its two branches add to the residual stream
  std::int64_t ffn = 0;     // the first so many hidden units of its feed-forward run; 0: all
  std::int64_t use = 0;     // how often the pass has run this layer before
  std::int64_t tokens = 0;  // so many tokens of each sequence pass through it; 0: all
  // Where its dropout masks are drawn from: each use of a layer has masks of its own.
  std::int64_t place(std::int64_t layers) const { return layer + use * layers; }
  std::int64_t units(std::int64_t all) const { return ffn > 0 ? ffn : all; }
  bool operator==(const LayerWork&) const = default;
};

struct StepWork {
  // The layers that run, in order; a layer may run several times. Layers that are not listed are
  // the identity and cost nothing. Nothing: all layers run, once and whole.
  std::optional<std::vector<LayerWork>> layers;
  // Only where layers drop tokens: what the choice of tokens is drawn from, and the index of the
  // pass's first sequence in the batch, so that draws do not depend on how a batch is divided.
  std::uint64_t token_seed = 0;
  std::int64_t first_sequence = 0;

  // Returns the list of what runs in a model of so many layers.
  std::vector<LayerWork> list(std::int64_t of) const {
    if (layers) return *layers;
    std::vector<LayerWork> all;
    for (std::int64_t layer = 0; layer < of; ++layer) all.push_back({.layer = layer});
    return all;
  }
  // Returns whether this is the whole, unscaled model; results are then bit-identical to a run
  // without any policy.
  bool is_whole(std::int64_t of) const { return !layers || *layers == StepWork{}.list(of); }
  bool runs(std::int64_t layer) const {
    return !layers || std::ranges::find(*layers, layer, &LayerWork::layer) != layers->end();
  }
  bool drops_tokens() const {
    return layers && std::ranges::any_of(*layers, [](const LayerWork& w) { return w.tokens > 0; });
  }
  bool operator==(const StepWork&) const = default;
};

// Returns the work in which only the first so many layers run.
inline StepWork first_layers(std::int64_t count) { return {.layers = StepWork{}.list(count)}; }

// Returns the work in which each layer runs with the factor that scales holds for it. Layers with
// the factor 0 do not run.
inline StepWork scaled_layers(const std::vector<double>& scales) {
  StepWork work{.layers = std::vector<LayerWork>{}};
  for (std::size_t layer = 0; layer < scales.size(); ++layer)
    if (scales[layer] != 0)
      work.layers->push_back({.layer = static_cast<std::int64_t>(layer), .scale = scales[layer]});
  return work;
}

}  // namespace stagedtrain::arch
