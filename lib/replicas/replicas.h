// Checks that tensors of which every rank holds a copy are the same on all ranks.
#pragma once

#include "dist/ranks.h"
#include "runfolder/device_state.h"

namespace stagedtrain::train {

// Compares checksums of all replicated tensors over the ranks. Throws Error(resource), the same on
// every rank, that names the first tensor that differs and the ranks on which it does. Does nothing
// on a single rank, and with model/shards.h, where each tensor has one owner. If weights_only is
// set, moments are sharded and not compared; weights and their moving average are.
void check_replicas(dist::Ranks& ranks, DeviceState& live, bool weights_only = false);

}  // namespace stagedtrain::train
