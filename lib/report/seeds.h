// Runs that differ in their seed alone, as one run: their mean.
#pragma once

#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// Replaces runs that ended decayed and differ in nothing but their seed by one run whose losses are
// their means and whose standard errors are those over seeds; Run::samples names them. A run whose
// seed is not known, or is that of another run of the group, stays by itself.
std::vector<runlog::Run> mean_over_seeds(std::vector<runlog::Run> runs);

// The seeds behind a run: one for a log that records it, several for a mean.
std::vector<double> seeds_of(const runlog::Run& run);

}  // namespace stagedtrain::report
