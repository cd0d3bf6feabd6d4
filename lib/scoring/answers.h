// Samples text from checkpoint files, and scores them on tasks.
#pragma once

#include "engine/engine.h"

namespace stagedtrain::train {

// Functions of the module's interface (engine/engine.h). All ranks of a run call them. Each scores
// its share of a task file, and all return bit for bit what one process would. A sample cannot be
// divided: the first rank writes it.
TaskResult score_task_file(const TaskRequest& request);
SampleUnit sample_from_file(const SampleRequest& request,
                            const std::function<void(const std::string&)>& emit);

}  // namespace stagedtrain::train
