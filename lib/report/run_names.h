// Short names of runs, for people.
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// Sets each run's label: its name without the folders that all names begin with, or the last part
// of the name of a run that is alone.
void set_labels(std::vector<runlog::Run>& runs);
// Names a mean over seeds after what the names of its samples have in common.
void name_mean(runlog::Run& run);

}  // namespace stagedtrain::report
