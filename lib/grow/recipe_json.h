// Prints a recipe as JSON, for `grow --dry-run --json`.
#pragma once

#include "base/json.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// Prints for every operator its text, promises and model, and for every tensor of that model its
// name, shape, whether it is new, the optimizer scales, and the blocks of its weights ("value") and
// of its exp_avg ("gradient"). exp_avg_sq uses the same blocks with squared scales, unless
// "moments_copied". The text is passed to `print` piece by piece, one tensor a line. Polls for a
// stop request.
void print_steps(const GrowthRecipe& recipe, const Print& print);

// Returns "copy", "mean_rows", ...
const char* kind_name(Block::Kind kind);

}  // namespace stagedtrain::grow
