// What dense maps start as: the copies that a growth makes, with noise.
#pragma once

#include "base/rng.h"
#include "grow/axis_map.h"
#include "grow/dense_map.h"
#include "grow/layer_growth.h"

namespace stagedtrain::grow {

// Returns the dense form of a map of copies, whose units have `unit` indices each. Old units stay
// at their places; these rows are fixed.
DenseMap axis_map(const AxisMap& map, std::int64_t unit);
// Returns the map of layers that has one entry of 1 for each new layer. No row is fixed.
DenseMap layer_map(const LayerMap& layers, std::int64_t from);
// Returns the identity. No row is fixed.
DenseMap identity_map(std::int64_t size);
// Adds normal numbers to the rows that are not fixed. `noise` is their size relative to the length
// of a row, which is 1.
void add_noise(DenseMap& map, double noise, const CounterRng& rng);

}  // namespace stagedtrain::grow
