// Looks for an operator's options in its step, which lists all of them.
#include "grow/symmetry_advice.h"

#include <algorithm>

namespace stagedtrain::grow {

std::string symmetry_advice(const GrowthRecipe& recipe) {
  const auto step = std::ranges::find(recipe.steps, true, &GrowthStep::symmetric);
  ST_CHECK(step != recipe.steps.end(), "{} is not symmetric", recipe.operators());
  const auto has = [&](const char* option) {
    return step->operators.find(option) != std::string::npos;
  };
  const char* noise = has("symmetry: {") ? "symmetry.noise, or "
                      : has("fit: {")    ? "fit.steps above 0, or "
                                         : "";
  return std::string(noise) + "moments: reset_new";
}

}  // namespace stagedtrain::grow
