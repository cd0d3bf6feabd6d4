// How the runs of a fitted law were trained. The law holds for other runs of the same recipe; a
// plan with other data, another vocabulary, architecture, optimizer, parameterization, context,
// batch or peak rate is told so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fit/curves.h"
#include "fit/law_file.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Returns what all curves have in common; nothing of curves that say nothing of it (CSV files).
std::optional<FittedRecipe> recipe_of(const std::vector<LoggedCurve>& curves);

// Returns a sentence for each part of the recipe in which the plan differs, the most serious first.
std::vector<std::string> recipe_warnings(const FittedRecipe& recipe, const RunPlan& plan);

// Returns "base_width 64, base_layers 2" for the values of these keys, "none" where there are none.
std::string parameterization_text(const std::string& base_width, const std::string& base_layers);

// Whether both are known and differ.
bool has_other_data(const FittedRecipe& recipe, const RunPlan& plan);

}  // namespace stagedtrain::plan
