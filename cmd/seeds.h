// How is a schedule trained once for each of several seeds?
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/file.h"

namespace stagedtrain::cmd {

// Parses --seeds: "3" means three seeds starting at `first`, "1,5,9" means these. Throws
// Error(usage) for anything else and for a seed that is listed twice.
std::vector<std::int64_t> read_seeds(const std::string& text, std::int64_t first);
// Returns the folder for a seed's run, or for its scratch runs, inside `folder`.
Path seed_folder(const Path& folder, std::int64_t seed);

// The final losses of the runs of all seeds, by the name of the run.
using EndLosses = std::map<std::string, std::vector<double>>;
// Returns their means with standard errors over seeds, one line per name.
std::string mean_text(const EndLosses& losses);

}  // namespace stagedtrain::cmd
