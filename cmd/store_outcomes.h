// How are results of runs stored in this user's files for later plans?
#pragma once

#include "outcomes/outcomes_from_logs.h"
#include "outcomes/scores.h"

namespace stagedtrain::cmd {

// Returns whether the results were stored. Never throws an Error: if a file cannot be read or
// written, prints a line to stderr.
bool store_outcomes(const std::vector<plan::Measurement>& speeds,
                    const std::vector<plan::GrowthOutcome>& growths,
                    const std::vector<plan::ScoredRun>& scores);

}  // namespace stagedtrain::cmd
