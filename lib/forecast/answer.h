// What does a plan say to a reader with one minute? What to do, what it saves, what it costs, and
// the most important warning.
#pragma once

#include "forecast/full_plan.h"

namespace stagedtrain::plan {

// Returns the answer, one line of 100 columns for each of its four parts where they are short
// enough. What it saves and the most important warning are never cut. `warnings` are added to those
// of the plan and before those of its outlook.
std::string answer_text(const FullPlan& full, const std::vector<std::string>& warnings = {});

// Returns the answer, the stages and the basis of the forecast in at most 40 lines of 100 columns.
// `middle` is inserted after the planner's choices. to_text(FullPlan) has everything.
std::string short_text(const FullPlan& full, const std::vector<std::string>& warnings = {},
                       const std::string& middle = "");

}  // namespace stagedtrain::plan
