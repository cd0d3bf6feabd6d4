// Grows the state between two stages, and logs the loss before and after.
#pragma once

#include "replicas/run_context.h"

namespace stagedtrain::train {

// Requires that the previous stage has ended. Returns the state at the first step of stage `index`.
DeviceState grow_into(RunContext& run, DeviceState from, std::size_t index);

}  // namespace stagedtrain::train
