// Predicts a whole run before its first step. run.jsonl stores the prediction; `report` and
// `plan --score` compare it with what was measured.
#pragma once

#include "forecast/forecast.h"

namespace stagedtrain::plan {

// If there is no forecast, why_not gives the reason in a sentence; a law that does not fit the plan
// is no error here. If the plan already has a predicted loss of its last stage, that loss is used.
runlog::Prediction predict(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                           const Measurements& known);

}  // namespace stagedtrain::plan
