// How were the runs of a fitted law trained? The law holds for other runs of the same recipe. A
// plan with other data, or another vocabulary, architecture, optimizer, parameterization, context,
// batch or peak rate, gets a warning.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fit/curves.h"
#include "fit/law_file.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Returns what all curves have in common. What a curve does not record (as in CSV files) is
// unknown.
std::optional<FittedRecipe> recipe_of(const std::vector<LoggedCurve>& curves);

// Whether two learning rates or numbers of tokens are known (above 0) and make two recipes: they
// differ by more than 1%.
bool differ(double a, double b);

// Returns a sentence for each part of the recipe in which the plan differs, the most serious first.
std::vector<std::string> recipe_warnings(const FittedRecipe& recipe, const RunPlan& plan);

// Returns "base_width 64, base_layers 2" for the values of these keys, or "none" if there are none.
std::string parameterization_text(const std::string& base_width, const std::string& base_layers);

// Returns whether the data of both are known and differ.
bool has_other_data(const FittedRecipe& recipe, const RunPlan& plan);

}  // namespace stagedtrain::plan
