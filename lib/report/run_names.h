// Short names of runs, for people.
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// Each name without the folders that all of them begin with; the last folder of a name alone.
std::vector<std::string> without_common_folders(const std::vector<std::string>& names);
// Sets each run's label: its name without the folders that all names begin with. A mean over seeds
// keeps its label.
void set_labels(std::vector<runlog::Run>& runs);
// Names a mean over seeds after what the names of its samples have in common.
void name_mean(runlog::Run& run);

}  // namespace stagedtrain::report
