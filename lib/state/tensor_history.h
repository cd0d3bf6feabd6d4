// Defines what the optimizer must know about a tensor besides its values: how old its moments are,
// and how its learning rate, decay and eps differ from those of other tensors.
//
// Goal: after a growth, AdamW must treat old and new entries correctly. Its bias correction divides
// a moment by 1 - beta^t, where t counts the steps since that moment was zero. A growth zeroes some
// entries and keeps others, so t can differ within one tensor. Without restarting t, the first
// updates of zeroed entries are up to 6 times too large at beta2 = 0.999.
//
// Invariant: `regions` is empty, or its rectangles cover the tensor exactly once. Ages are stored
// as the step at which they began, which can be negative for moments that come from another run.
//
// Rejected: an age for each entry would add a fourth number to every parameter. Growths act on
// blocks, so rectangles describe the ages exactly. apply/histories.cc computes them.
#pragma once

#include <cstdint>
#include <vector>

namespace stagedtrain::state {

// When moments were last zeroed, and how fast the learning rate rises again from there.
struct MomentAge {
  std::int64_t start = 0;  // the step at which they were zeroed; bias correction counts from it
  std::int64_t ramp_steps = 0;  // the learning rate rises linearly over these steps; 0: at once
  bool operator==(const MomentAge&) const = default;
};

// A rectangle of a tensor. A tensor with one axis counts as a single column.
struct AgedRegion {
  std::int64_t row = 0, column = 0, rows = 0, columns = 0;
  MomentAge age;
  bool operator==(const AgedRegion&) const = default;
};

// lr_scale, decay_scale and eps_scale multiply the schedule's values (docs/growth.md, "Tiles, and
// Adam's dynamics").
struct TensorHistory {
  MomentAge age;
  std::vector<AgedRegion> regions;  // empty if the whole tensor has one age
  std::int64_t generation = 0;      // growths of the state before the tensor was added
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  bool operator==(const TensorHistory&) const = default;
};

}  // namespace stagedtrain::state
