// How many tokens does a step of a stage train on, mean over its steps?
#pragma once

#include <algorithm>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

inline double step_tokens(const StagePlan& stage) {
  return static_cast<double>(stage.tokens) /
         static_cast<double>(std::max<std::int64_t>(1, stage.steps));
}

}  // namespace stagedtrain::plan
