// Which warnings does a reader need before trusting an optimized plan?
#pragma once

#include "optimize/optimize.h"

namespace stagedtrain::plan {

// Returns the warnings, the most important first. `notes` are those of the search (Problem::notes).
// why_not_grown is that of the Solution.
std::vector<std::string> warnings_of(const Optimum& optimum, const std::vector<std::string>& notes,
                                     const std::string& why_not_grown);

}  // namespace stagedtrain::plan
