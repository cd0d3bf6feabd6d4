// What happens if `from` in a schedule names a model in a foreign format?
#pragma once

#include "io/file.h"
#include "schedule/schedule.h"

namespace stagedtrain::cmd {

// If schedule.from is a Hugging Face folder, a GGUF file or an llm.c model, imports it into the run
// folder as imported-NAME.h5, unless that file exists, and makes `from` name that file. The context
// of a rotary model is shortened to the schedule's. Throws Error(input) if the model cannot be
// read.
void import_foreign_from(schedule::Schedule& schedule, const Path& run);
// Throws Error(usage), which says how to import a foreign `from` first. For commands that write
// nothing.
void refuse_foreign_from(const schedule::Schedule& schedule);

}  // namespace stagedtrain::cmd
