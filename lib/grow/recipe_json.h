// A recipe as JSON: what `grow --dry-run --json` prints.
#pragma once

#include "base/json.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// For every tensor of the larger model its name, shape, whether it is new and its moments are
// reset, and the blocks of its weights ("value") and of its exp_avg ("gradient"; exp_avg_sq takes
// them with scales squared): source, from, to, extent, scale, and noise where the block is noise.
Json tensors_json(const GrowthRecipe& recipe);

}  // namespace stagedtrain::grow
