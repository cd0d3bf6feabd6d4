// What a reader of an optimised plan must know before trusting it.
#pragma once

#include "plan/optimize.h"

namespace stagedtrain::plan {

std::vector<std::string> warnings_of(const Optimum& optimum, const OptimizeOptions& options);

}  // namespace stagedtrain::plan
