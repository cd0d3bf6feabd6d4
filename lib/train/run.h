// Runs all stages of a plan, and the growths between them, from wherever the run's folder stands.
#pragma once

#include "engine/engine.h"
#include "model/model.h"

namespace stagedtrain::train {

// Throws Error; see engine.h and stage.h. Ranks other than the first return done without stages,
// because the first one reports the result.
RunResult run(const plan::RunPlan& plan, const RunRequest& request);

// Returns the options of a model for a request's device and kernels, and sets the number of
// threads. Throws Error(usage) if a name or a device does not exist.
model::ModelOptions model_options(const DeviceRequest& request, model::Precision precision);
// Does the same, and adds the plan's precision, dropout, z-loss and recomputation.
model::ModelOptions options_of(const plan::RunPlan& plan, const DeviceRequest& request);

}  // namespace stagedtrain::train
