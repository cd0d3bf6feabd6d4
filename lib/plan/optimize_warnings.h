// What a reader of an optimised plan must know before trusting it.
#pragma once

#include "plan/optimize.h"

namespace stagedtrain::plan {

// notes: what was found on the way.
std::vector<std::string> warnings_of(const Optimum& optimum, const std::vector<std::string>& notes);

}  // namespace stagedtrain::plan
