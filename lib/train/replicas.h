// What every rank holds a copy of must stay the same on all of them.
#pragma once

#include "dist/ranks.h"
#include "train/live_state.h"

namespace stagedtrain::train {

// Compares checksums of all replicated tensors over the ranks. Throws Error(resource), the same on
// every rank, that names the first tensor that differs and the ranks that have it otherwise. Does
// nothing alone. weights_only: the moments are shared out.
void check_replicas(dist::Ranks& ranks, LiveState& live, bool weights_only = false);

}  // namespace stagedtrain::train
