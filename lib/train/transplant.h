// Begins the adapters of a stage from a checkpoint of a larger model (learned/transplant.h).
#pragma once

#include "plan/run_plan.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Begins the adapters of `set` in the state, before the first step of a stage whose adapters.from
// names a checkpoint. The first rank measures its model, on sequences of the run's training data
// that the seed and the step choose, and all ranks get the same A and B. Counts FLOPs and seconds
// in the progress, and writes the event "transplant". The weights keep their bits. All ranks make
// the call together. Throws Error(interrupted) on a stop request, with the state as before.
void begin_from_larger(RunContext& run, const plan::StagePlan& stage, DeviceState& live,
                       const arch::AdapterSet& set);

}  // namespace stagedtrain::train
