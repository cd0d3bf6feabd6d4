// Runs all stages of a plan, and the growths between them, from wherever the run's folder stands.
#pragma once

#include "engine/engine.h"
#include "model/model.h"

namespace stagedtrain::train {

// Throws Error; see engine.h and stage.h. Ranks other than the first return done without stages,
// because the first one reports the result.
RunResult run(const plan::RunPlan& plan, const RunRequest& request);

}  // namespace stagedtrain::train
