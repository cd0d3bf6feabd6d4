// Defines the decisions of the training loop as functions of numbers.
#pragma once

#include <cmath>
#include <cstdint>

namespace stagedtrain::train {

// Returns whether something that happens every `every` steps (0: never) is due after `step` steps.
inline bool is_due(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

// Returns the factor that limits a gradient norm to clip (0: no clipping).
inline double clip_factor(double norm, double clip) {
  return clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1.0;
}

// A running mean and variance with exponential decay, for z-scores. Plain numbers, because
// checkpoints store them.
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

// Returns whether the loss or the gradient norm is not finite, or the loss exceeds its running mean
// by more than `rise`.
inline bool diverged(double loss, double norm, const RunningStats& losses, double rise) {
  return !std::isfinite(loss) || !std::isfinite(norm) ||
         (losses.started() && loss > losses.mean + rise);
}

}  // namespace stagedtrain::train
