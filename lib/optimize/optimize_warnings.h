// Which warnings does a reader need before trusting an optimized plan?
#pragma once

#include "optimize/optimize.h"

namespace stagedtrain::plan {

// Returns the warnings, the most important first. why_not_grown is that of the Solution.
std::vector<std::string> warnings_of(const Optimum& optimum, const std::string& why_not_grown);

}  // namespace stagedtrain::plan
