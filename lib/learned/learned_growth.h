// How does a growth by copies become one with maps that can be learned?
#pragma once

#include "grow/axis_growth.h"
#include "grow/layer_growth.h"

namespace stagedtrain::grow {

// Replaces the blocks of every tensor by a product of maps that starts as the growth of `axes` and
// `layers` that `step` describes, and withdraws its promises: once the maps have been trained, the
// loss changes, and no rule gives the moments, which therefore start at zero. Requires copies in
// turn without noise, padding or new entries within heads, and new layers that are copies.
//
// Maps, tied as in LiGO: one of the residual stream for the whole model; in every new layer one of
// the hidden units and one of the values. Queries and keys of a layer have one map each, or one
// together that maps whole heads, where they are rotated (RoPE), normalised, or several queries
// share a key; then values map whole heads too if queries share them. Every kind of tensor has a
// map of layers of its own. The old part of a map of an axis is the identity and is not trained.
//
// noise: the size of the random numbers that are added to each row that is trained, relative to its
// length, which is 1. They make a fit treat several copies of one index differently.
void learn_maps(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
                const GrowthContext& context, double noise, std::int64_t seed);

// Returns the FLOPs of the matrix products that the maps of one step of a fit need besides those of
// the model: three times those of W' = A M B^T, and 4 L for each number of M. Requires step.from
// and step.to.
double map_flops(const GrowthStep& step);

// Returns whether a growth of the recipe has maps that have not been fitted.
bool needs_fit(const GrowthRecipe& recipe);

}  // namespace stagedtrain::grow
