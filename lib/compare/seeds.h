// How are runs that differ only in their seed averaged into one run?
#pragma once

#include <string>
#include <vector>

#include "runlog/run_log.h"

namespace stagedtrain::report {

// Replaces runs that ended fully decayed and differ only in their seed by one run, whose losses are
// means and whose standard errors are those over seeds; Run::samples lists the averaged runs. A run
// stays separate if its seed is unknown or already in the group.
std::vector<runlog::Run> mean_over_seeds(std::vector<runlog::Run> runs);

// Returns the seeds behind a run: one for a log that records it, several for a mean.
std::vector<double> seeds_of(const runlog::Run& run);

// Returns "seeds 1, 2", "seed 1" or "seed unknown".
std::string seeds_text(const runlog::Run& run);

// Whether all of these runs, indices into `runs`, have the staged run's seeds.
bool have_seeds_of(const runlog::Run& staged, const std::vector<runlog::Run>& runs,
                   const std::vector<std::size_t>& indices);
// Returns those that do if they are two or more, which a comparison needs, or else all.
std::vector<std::size_t> prefer_seeds_of(const runlog::Run& staged,
                                         const std::vector<runlog::Run>& runs,
                                         const std::vector<std::size_t>& indices);

}  // namespace stagedtrain::report
