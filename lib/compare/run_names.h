// How are runs named for people? By short labels.
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// Returns each name without the folders that all of them begin with. Keeps at least a name's last
// folder.
std::vector<std::string> without_common_folders(const std::vector<std::string>& names);
// Sets each run's label: its name without the folders that all names begin with, and for a mean
// over seeds their number.
void set_labels(std::vector<runlog::Run>& runs);
// Names a mean over seeds after the folders that its samples' names have in common, before and
// after the one that tells seeds apart: runs/copied/seed-1 and seed-2 make runs/copied.
void name_mean(runlog::Run& run);

}  // namespace stagedtrain::report
