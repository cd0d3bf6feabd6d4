// Which warnings does a reader need before trusting an optimized plan?
#pragma once

#include "optimize/optimize.h"

namespace stagedtrain::plan {

// Returns the warnings, the most important first. `notes` are those of the search (Problem::notes).
std::vector<std::string> warnings_of(const Optimum& optimum, const std::vector<std::string>& notes);

}  // namespace stagedtrain::plan
