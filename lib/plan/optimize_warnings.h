// What a reader of an optimised plan must know before trusting it.
#pragma once

#include "plan/optimize.h"

namespace stagedtrain::plan {

// decay_tokens: of the run, in which the learning rate comes down.
std::vector<std::string> warnings_of(const Optimum& optimum, const OptimizeOptions& options,
                                     double decay_tokens);

}  // namespace stagedtrain::plan
