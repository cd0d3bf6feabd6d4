// Looped cores: a model whose middle layers, the core, run several times (arXiv 2609.19107).
//
// A model with model.core > 0 runs the layers of its prelude, then `passes` times its core, then
// those of its coda. The cores are tied (every pass runs the same stored layers) or untied (every
// pass has layers of its own). Stored are prelude, core, coda if they are tied, and prelude, core
// 0, core 1, ..., coda if they are not. So the layers that a pass executes are in the same order in
// both, and to untie cores is to store what was executed.
//
// Before each pass of the core, and before the coda, there is a boundary,
//   h <- RMSNorm(h) + boundary_alpha * e,
// where e is the residual stream at the end of the prelude (the embeddings, without a prelude) and
// the RMSNorm has no gain. A boundary therefore has no weights, and K passes have K + 1 boundaries,
// the last of which comes before the final norm if there is no coda. `boundary: false` leaves them
// out; one pass is then the plain model.
#pragma once

#include "arch/model_config.h"
#include "arch/step_work.h"

namespace stagedtrain::arch {

inline bool is_looped(const ModelConfig& config) { return config.core > 0; }
inline bool has_tied_cores(const ModelConfig& config) {
  return is_looped(config) && config.tied_cores && config.passes > 1;
}

// The number of layers that a pass executes: all layers once, tied cores `passes` times.
inline std::int64_t executed_layers(const ModelConfig& config) {
  return config.layers + (has_tied_cores(config) ? (config.passes - 1) * config.core : 0);
}
// Returns what a pass through the whole model runs. Without tied cores that is the default, every
// layer once.
StepWork whole_work(const ModelConfig& config);

// The positions of the boundaries among the executed layers. Boundary j comes before the layer at
// position first + j * every; a position may be the number of executed layers.
struct Boundaries {
  std::int64_t first = 0, every = 1, count = 0;
  double alpha = 1;
  // Returns the number of the boundary before this position, or -1 if there is none.
  std::int64_t before(std::int64_t position) const {
    const std::int64_t distance = position - first;
    const bool is_one = distance >= 0 && distance % every == 0 && distance / every < count;
    return is_one ? distance / every : -1;
  }
};
Boundaries boundaries_of(const ModelConfig& config);

// Throws Error(usage) unless layers are the sum of the parts, or if keys of looped cores are given
// to a model without a core.
void check_loops(const ModelConfig& config);
// Describes the parts as ", 1 + 4 x 2 tied + 1, boundary alpha 1"; "" without a core.
std::string loops_text(const ModelConfig& config);

}  // namespace stagedtrain::arch
