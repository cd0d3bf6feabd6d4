// What does this process compute on? Turns options of the command line into a model's.
#pragma once

#include "engine/engine.h"
#include "model/model.h"

namespace stagedtrain::train {

// With several ranks, replaces "auto" and "cuda" by the GPU whose number is this rank's local rank.
DeviceRequest device_of_rank(DeviceRequest request);

// Sets the number of threads: `asked`, or LibTorch's choice for 0, and at most as many as the
// system grants. Warns if those are fewer.
void use_threads(int asked);

// Returns the options of a model for a request's device and kernels, and sets the number of
// threads. Throws Error(usage) if a name or a device does not exist.
model::ModelOptions model_options(const DeviceRequest& request, model::Precision precision);
// Returns the same with the plan's precision, dropout, z-loss and recomputation.
model::ModelOptions options_of(const plan::RunPlan& plan, const DeviceRequest& request);

}  // namespace stagedtrain::train
