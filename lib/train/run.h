// A whole run: stages one after the other, growing between them, from wherever its folder stands.
#pragma once

#include "model/model.h"
#include "train/engine.h"

namespace stagedtrain::train {

// Throws Error; see engine.h and stage.h. On a rank that is not the first: done, with no stages,
// for the first tells what came of it.
RunResult run(const plan::RunPlan& plan, const RunRequest& request);

// Options of a model for a request: device, kernels; sets the number of threads. Throws
// Error(usage) at a word or device that is not there.
model::ModelOptions model_options(const DeviceRequest& request, model::Precision precision);
// The same, with what else a plan says of the model: precision, dropout, z-loss.
model::ModelOptions options_of(const plan::RunPlan& plan, const DeviceRequest& request);

}  // namespace stagedtrain::train
