// `from:` of a schedule may name a model in a foreign format.
#pragma once

#include "base/file.h"
#include "schedule/schedule.h"

namespace stagedtrain::cmd {

// Where schedule.from is a Hugging Face folder, a GGUF or an llm.c model: imports it into the run
// folder, as imported-NAME.h5, unless that is there already, and lets `from` name that file. Rotary
// models are cut to the schedule's context. Throws Error(input) for what cannot be read.
void import_foreign_from(schedule::Schedule& schedule, const Path& run);
// For commands that write nothing: Error(usage) that tells how to import it first.
void refuse_foreign_from(const schedule::Schedule& schedule);

}  // namespace stagedtrain::cmd
