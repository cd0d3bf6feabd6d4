// How does a foreign model become a training state? Its weights with zeroed moments.
#pragma once

#include "hub/foreign_model.h"
#include "state/host_tensor.h"

namespace stagedtrain::hub {

// Writes the checkpoint, which appears whole or not at all. Weights are widened to f32, or to f64
// for training in fp64; both moments are zero and of age 0, and the step count is 0. Besides mapped
// pages, at most two tensors are in memory. Polls for a stop request. Throws Error(resource) as
// CheckpointWriter does, and Error(usage) if replace is Replace::no and the target exists once
// everything is written.
void import_model(const ForeignModel& source, const Path& target, Replace replace = Replace::yes,
                  state::DType dtype = state::DType::f32);

}  // namespace stagedtrain::hub
