// Keeps a parameterization through a growth.
#pragma once

#include "grow/recipe.h"

namespace stagedtrain::grow {

// Replaces the factors on the optimizer scales by those that lead to the scales of a fresh model of
// the new size (arch/parameter_scales.h). Where tensors are copied evenly, `dynamics: exact` has
// computed the same factors; they are replaced and not multiplied, so they count once. Does nothing
// if the model has no parameterization. Requires step.from and step.to.
void follow_parameterization(GrowthStep& step);

}  // namespace stagedtrain::grow
