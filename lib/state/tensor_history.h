// What the optimizer must know of a tensor beside its numbers: how old its moments are, and by what
// its step differs from that of the others.
#pragma once

#include <cstdint>
#include <vector>

namespace stagedtrain::state {

// When moments were last zeroed, and how the learning rate came back from there.
struct MomentAge {
  std::int64_t start = 0;  // the step at which they were zeroed; bias correction counts from it
  std::int64_t ramp_steps = 0;  // the learning rate rises linearly over these steps; 0: at once
  bool operator==(const MomentAge&) const = default;
};

// A rectangle of a tensor; a tensor with one axis is a single column.
struct AgedRegion {
  std::int64_t row = 0, column = 0, rows = 0, columns = 0;
  MomentAge age;
  bool operator==(const AgedRegion&) const = default;
};

// lr_scale, decay_scale and eps_scale multiply what the schedule says (docs/growth.md, "Growing and
// training commute").
struct TensorHistory {
  MomentAge age;
  std::vector<AgedRegion> regions;  // empty: all of one age; else they cover the tensor, none twice
  std::int64_t generation = 0;      // growths of the state before the tensor came in
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
  bool operator==(const TensorHistory&) const = default;
};

}  // namespace stagedtrain::state
