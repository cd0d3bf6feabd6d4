// A recipe as JSON: what `grow --dry-run --json` prints.
#pragma once

#include "base/json.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// For every operator its text, promises and model, and for every tensor of that model its name,
// shape, whether it is new, the optimizer's scales, and the blocks of its weights ("value") and of
// its exp_avg ("gradient"; exp_avg_sq takes them with scales squared, unless "moments_copied").
// Handed to `print` piece by piece, a tensor on a line; polls for a stop request.
void print_steps(const GrowthRecipe& recipe, const Print& print);

// "copy", "mean_rows", ...
const char* kind_name(Block::Kind kind);

}  // namespace stagedtrain::grow
