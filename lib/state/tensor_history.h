// Defines what the optimizer must know about a tensor besides its values: how old its moments are,
// and how its learning rate, decay and eps differ from those of other tensors.
//
// Adam divides a moment by 1 - beta^t, where t counts the steps since that moment was zero. A
// growth zeroes some entries of a tensor and keeps others. The tensor then has the age of its
// youngest moments. With an older t, zeroed entries would take steps (1 - beta1^n) / sqrt(1 -
// beta2^n) times as large as they should in their nth step: up to 6.5 times at beta2 = 0.999. Old
// entries, whose moments are complete, take steps that are sqrt(1 - beta2^t) / (1 - beta1^t) times
// their usual size: at beta2 = 0.999 between 0.15 and 0.43 for 200 steps, a second warm-up; at
// 0.95 2.2 in the first step and 1.2 in the fifth.
//
// Ages are stored as the step at which they began, which can be negative for moments that come from
// another run.
//
// Rejected: an age for each rectangle of one age, which describes a growth exactly. It ended at the
// same loss with beta2 = 0.95 and at a higher one with 0.999 (docs/log.md, 2026-11-29).
#pragma once

#include <compare>
#include <cstdint>

namespace stagedtrain::state {

// When moments were last zeroed, and how fast the learning rate rises again from there. The younger
// of two ages compares greater; of two that began together, the one whose ramp is longer.
struct MomentAge {
  std::int64_t start = 0;  // the step at which they were zeroed; bias correction counts from it
  std::int64_t ramp_steps = 0;  // the learning rate rises linearly over these steps; 0: at once
  auto operator<=>(const MomentAge&) const = default;
};

// lr_scale, decay_scale and eps_scale multiply the schedule's values (docs/growth.md, "Tiles, and
// Adam's dynamics").
struct TensorHistory {
  MomentAge age;                // age of the tensor's youngest moments
  std::int64_t generation = 0;  // growths of the state before the tensor was added
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  bool operator==(const TensorHistory&) const = default;
};

}  // namespace stagedtrain::state
