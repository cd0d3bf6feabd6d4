// What models of checkpoint files write and which answers they choose.
#pragma once

#include "engine/engine.h"

namespace stagedtrain::train {

// Functions of the module's interface (engine/engine.h). All ranks of a run call them. Each scores
// its share of a task file, and all return what one process would, to the bit. A text cannot be
// divided: the first rank writes it.
TaskResult score_task_file(const TaskRequest& request);
SampleUnit sample_from_file(const SampleRequest& request,
                            const std::function<void(const std::string&)>& emit);

}  // namespace stagedtrain::train
