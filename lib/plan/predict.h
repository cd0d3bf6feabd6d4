// What is foretold of a whole run before its first step. run.jsonl keeps it; `report` and the score
// compare it with what came out.
#pragma once

#include "plan/forecast.h"

namespace stagedtrain::plan {

// Never fails: where there is no forecast, why_not says the reason in a sentence. The loss of the
// last stage, where the plan has one, is kept to.
runlog::Prediction predict(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                           const Measurements& known);

}  // namespace stagedtrain::plan
