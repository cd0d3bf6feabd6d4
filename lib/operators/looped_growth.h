// How does a model with a looped core (arch/loops.h) grow? Which stored layer each layer of the
// larger model comes from, and which operators keep boundaries.
#pragma once

#include <string>

#include "grow/layer_growth.h"

namespace stagedtrain::grow {

// Returns the map from tied cores to untied ones: every layer that a pass executes, none of them
// new.
LayerMap untied_layers(const arch::ModelConfig& from);
// Returns the map to a model of more passes. The cores of untied passes are put in this order, and
// each new one copies a whole old core; tied cores keep the stored layers as they are.
LayerMap layers_of_passes(const arch::ModelConfig& from, const arch::ModelConfig& to,
                          LayerOrder order);
// Throws Error(usage) if the operator of this name would put something between the layers of a
// looped core that its boundaries do not know: a width whose stream is not whole copies of the old
// one, because the norm of a boundary has no gain that could correct its mean; or a mask.
void check_boundaries_kept(const std::string& name, const GrowthStep& step);

}  // namespace stagedtrain::grow
