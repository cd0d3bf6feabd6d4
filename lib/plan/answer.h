// The answer of a plan, for a reader with one minute: what to do, what it saves, what it costs, and
// what to beware of.
#pragma once

#include "plan/full_plan.h"

namespace stagedtrain::plan {

// At most five lines of 100 columns. warnings: those that the plan's own and its outlook's do not
// have, the strongest first.
std::string answer_text(const FullPlan& full, const std::vector<std::string>& warnings = {});

// The answer, the stages and what it rests on, in at most 40 lines of 100 columns; middle is put
// after the stages. The rest is in to_text(FullPlan).
std::string short_text(const FullPlan& full, const std::vector<std::string>& warnings = {},
                       const std::string& middle = "");

}  // namespace stagedtrain::plan
