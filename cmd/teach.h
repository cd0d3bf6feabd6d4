// What runs have shown goes into this user's files, for the plans to come.
#pragma once

#include "plan/learn.h"
#include "plan/scores.h"

namespace stagedtrain::cmd {

// Whether they were kept. Never fails: where a file cannot be read or written, a line on stderr
// says so.
bool teach(const std::vector<plan::Measurement>& speeds,
           const std::vector<plan::LearnedGrowth>& growths,
           const std::vector<plan::ScoredRun>& scores);

}  // namespace stagedtrain::cmd
