// What a stage costs on this machine: a few real optimizer steps, timed.
#pragma once

#include "train/engine.h"

namespace stagedtrain::train {

// Every stage's model on made-up tokens, fresh weights, learning rate 0; no file is read. tell gets
// a stage's name when it begins. Throws Error(resource) if a stage does not fit into memory.
std::vector<plan::Measurement> measure(const plan::RunPlan& plan, const MeasureRequest& request,
                                       const std::function<void(const std::string&)>& tell);

}  // namespace stagedtrain::train
