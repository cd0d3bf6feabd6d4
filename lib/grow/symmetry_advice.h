// What can be done about copies that stay equal?
#pragma once

#include <string>

#include "grow/recipe.h"

namespace stagedtrain::grow {

// Returns the options that would make the copies of a growth unequal, of those that its operator
// has: "symmetry.noise, or moments: reset_new". Requires a symmetric growth.
std::string symmetry_advice(const GrowthRecipe& recipe);

}  // namespace stagedtrain::grow
