// Samples text from the model of a run while it trains.
#pragma once

#include "replicas/run_context.h"

namespace stagedtrain::train {

// Throws Error(usage) if the schedule asks for samples, and the token files do not record their
// tokenizer, or a prompt cannot be encoded in the vocabulary of every stage. Call this before
// the first step.
void check_prompts(const plan::RunPlan& plan, const RunData& data);

// Continues each prompt of the schedule, which must have `sample`: the first rank writes an event
// to the log, and a line for each prompt to the progress output. Changes nothing of the state. The
// random numbers are those of `eval --sample` with the schedule's seed, the same at every step. On
// other ranks it does nothing, unless the model has shards (model/shards.h): all ranks then compute
// the same passes. Throws Error(interrupted) if a process that trains alone is asked to stop.
void write_samples(RunContext& run, DeviceState& live);

}  // namespace stagedtrain::train
