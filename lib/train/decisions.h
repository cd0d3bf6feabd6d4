// The decisions of the training loop, as free functions of numbers.
#pragma once

#include <cmath>
#include <cstdint>

namespace stagedtrain::train {

// Whether something that happens every `every` steps (0: never) happens after `step` steps.
inline bool is_due(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

// What gradients are multiplied by so that their norm is at most clip (0: no clipping).
inline double clip_factor(double norm, double clip) {
  return clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1.0;
}

// A running mean and variance with exponential forgetting, for z-scores: plain numbers, so that
// they can live in a checkpoint.
struct RunningStats {
  double mean = 0, variance = 0;
  bool started() const { return mean != 0 || variance != 0; }
  double z(double x) const { return variance > 0 ? (x - mean) / std::sqrt(variance) : 0; }
  void add(double x, double forget = 0.02) {
    if (!started()) {
      mean = x;
      return;
    }
    const double delta = x - mean;
    mean += forget * delta;
    variance = (1 - forget) * (variance + forget * delta * delta);
  }
};

// A loss or gradient norm that is not a number, or a loss far above its running mean.
inline bool diverged(double loss, double norm, const RunningStats& losses, double rise) {
  return !std::isfinite(loss) || !std::isfinite(norm) ||
         (losses.started() && loss > losses.mean + rise);
}

}  // namespace stagedtrain::train
