// Chooses the windows that a run trains on (data.select, docs/policies.md).
#pragma once

#include "data/batch_stream.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Returns the run's place in its training data, as windows of this context: behind the sequences
// that it has read, and in the subset that it selected, if that has windows of this context. Throws
// Error(input) if the subset was chosen among another number of windows.
data::BatchStream training_stream(const RunContext& run, const state::DataPosition& data,
                                  const arch::ModelConfig& model);

// Draws a new subset if one is due at the state's step, after computing the features of all windows
// if these are due. Records it in the state, counts the cost in its progress, and writes the event
// "select". All ranks make the call together. Returns whether a subset was drawn: the caller then
// needs a new training_stream. Throws Error(interrupted) on a stop request, with the state as
// before.
bool select_windows(RunContext& run, DeviceState& live);

}  // namespace stagedtrain::train
