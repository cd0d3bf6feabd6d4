// Training a schedule once for each of several seeds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"

namespace stagedtrain::cmd {

// Reads --seeds: "3" is three seeds from `first` on, "1,5,9" are these. Throws Error(usage) for
// anything else, and for a seed that is named twice.
std::vector<std::int64_t> read_seeds(const std::string& text, std::int64_t first);
// The folder of a seed's run, or runs from scratch, in the folder that was named.
Path seed_folder(const Path& folder, std::int64_t seed);

// The losses with which the runs of all seeds ended, by what the runs are called.
using EndLosses = std::map<std::string, std::vector<double>>;
// Returns their means with the standard errors over seeds, one line for each name.
std::string mean_text(const EndLosses& losses);

}  // namespace stagedtrain::cmd
