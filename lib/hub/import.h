// Importing: a foreign model becomes a training state with fresh moments.
#pragma once

#include "hub/foreign_model.h"

namespace stagedtrain::hub {

// Writes the checkpoint, whole or not at all. Weights are widened to f32; both moments are zero and
// of age 0, and no step has been taken. Streams: beside mapped pages, two tensors are in memory.
// Polls for a stop request. Throws Error(resource) as CheckpointWriter does.
// With Replace::no, throws Error(usage) if the target exists by the time all is written.
void import_model(const ForeignModel& source, const Path& target, Replace replace = Replace::yes);

}  // namespace stagedtrain::hub
