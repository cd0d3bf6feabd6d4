// Saves a state whose weights, gradients and moments several ranks share out (model/shards.h).
#pragma once

#include "dist/ranks.h"
#include "runfolder/device_state.h"

namespace stagedtrain::train {

// Writes one checkpoint, the same file as a single process would write, whole or not at all. The
// first rank lays it out and gives it its name; the large tensors are written by all ranks in turn,
// each of which collects one while the others write theirs, so no rank ever holds more than a few
// tensors besides its part. Ranks on hosts that do not see the file of the first one leave writing
// to it. Collective. Throws, on the rank concerned, what CheckpointWriter throws; on the first rank
// as refuse_not_finite does.
void save_shared(const Path& path, DeviceState& live, dist::Ranks& ranks);

}  // namespace stagedtrain::train
