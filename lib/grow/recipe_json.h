// How is a recipe printed as JSON, for `grow --dry-run --json`?
#pragma once

#include "grow/recipe.h"
#include "text/json_fwd.h"

namespace stagedtrain::grow {

// Prints a JSON list with one object for each operator: its text, its promises, the model that it
// produces, and the tensors of that model. Each tensor has its name and shape, whether it is new,
// its optimizer scales, and the blocks of its weights ("value") and of exp_avg ("gradient").
// exp_avg_sq uses the blocks of exp_avg with squared scales, or with the same scales if
// "moments_copied" is true. A tensor that maps make has "products" instead of blocks of weights,
// and the operator then lists the sizes of its "maps". A predicted matrix has a "prediction", whose
// "below" is the old layer under the new one. The text is passed to `print` piece by piece, one
// tensor per line. Polls for a stop request.
void print_steps(const GrowthRecipe& recipe, const Print& print);

// Returns the name of a kind of block, such as "copy" or "mean_rows".
const char* kind_name(TensorBlock::Kind kind);

}  // namespace stagedtrain::grow
