// Between two stages: the state grows, and what that did to the loss is measured and logged.
#pragma once

#include "train/stage.h"

namespace stagedtrain::train {

// Requires that the stage before has ended. Returns the state at the first step of stage `index`.
LiveState grow_into(RunContext& run, LiveState from, std::size_t index);

}  // namespace stagedtrain::train
