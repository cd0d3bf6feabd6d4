// Which layers one pass of a training step runs, and how much their branches are scaled.
//
// A training policy (plan/layer_policy.h) computes it as a pure function of the plan, the step and
// the seed. The model, the optimizer, the FLOP counter and the run log read the same value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace stagedtrain::arch {

// branch_scales holds, for each layer, the factor of what its two branches add to the residual
// stream. A layer with factor 0 is the identity and is not run at all. Empty: all layers run with
// factor 1.
struct StepWork {
  std::vector<double> branch_scales;

  // Returns whether this is the whole, unscaled model; results are then bit-identical to a run
  // without any policy.
  bool is_whole() const {
    return std::ranges::all_of(branch_scales, [](double scale) { return scale == 1; });
  }
  double branch_scale(std::int64_t layer) const {
    return branch_scales.empty() ? 1 : branch_scales[static_cast<std::size_t>(layer)];
  }
  bool runs(std::int64_t layer) const { return branch_scale(layer) != 0; }
  bool operator==(const StepWork&) const = default;
};

}  // namespace stagedtrain::arch
