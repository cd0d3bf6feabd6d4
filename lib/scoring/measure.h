// Measures what a stage costs on this machine by timing a few real optimizer steps.
#pragma once

#include "engine/engine.h"

namespace stagedtrain::train {

// Runs every stage's model with fresh weights on random tokens, at learning rate 0. Reads no data.
// on_stage receives a stage's name when it begins. Throws Error(resource) if a stage does not fit
// into memory.
std::vector<plan::Measurement> measure(const plan::RunPlan& plan, const MeasureRequest& request,
                                       const std::function<void(const std::string&)>& on_stage);

}  // namespace stagedtrain::train
