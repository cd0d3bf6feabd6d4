// The warnings of a forecast: sizes, tokens, decays and recipes far from those of the law's runs,
// and assumptions that are doubtful.
#pragma once

#include <string>
#include <vector>

#include "forecast/forecast.h"

namespace stagedtrain::plan {

// Adds every warning that concerns the plan, the strongest first.
void add_warnings(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                  Outlook& outlook);

// Returns warnings about sizes and tokens far from those that the law was fitted to.
std::vector<std::string> law_warnings(const PlanningLaw& law, const std::string& name,
                                      const arch::ParamCount& params, double tokens);

// Returns a warning if the plan's decay is much longer or shorter than those of the law's runs;
// else "".
std::string other_decay(const PlanningLaw& law, const RunPlan& plan);

// Returns the warning that losses by fitted curves are before the decay; "" if the plan does not
// decay, or if the decay's gain is known.
std::string before_decay(const PlanningLaw& law, const RunPlan& plan);

// Returns the warnings that concern every loss of the plan: a recipe that is not that of the law's
// runs, and the two above.
std::vector<std::string> whole_run_warnings(const PlanningLaw& law, const RunPlan& plan);

// Returns the warning that a run reads its text `times` times.
std::string epochs_warning(double times);

}  // namespace stagedtrain::plan
