// Predicts a whole run before its first step. run.jsonl stores the prediction; `report` and
// `plan --score` compare it with what was measured.
#pragma once

#include "forecast/forecast.h"

namespace stagedtrain::plan {

// If there is no forecast, why_not gives the reason as the end of a sentence ("no prediction,
// because ..."); a law that does not fit the plan is no error here. If the plan already has a
// predicted loss of its last stage, that loss is used. The seconds of a run of several processes
// are those of run_cost(). They are left out if the bandwidth between processes is not known, or if
// one process was measured on a CPU with another number of threads than each of them has (0: not
// known).
runlog::Prediction predict(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                           const Measurements& known, const Processes& processes = {},
                           double threads = 0);

}  // namespace stagedtrain::plan
