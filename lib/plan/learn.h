// What the log of a run teaches later plans.
#pragma once

#include "plan/learned.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// Seconds for a token of each stage, medians between lines of the log; stages of fewer than four
// lines are left out. plan is that of the run; it ran on this machine.
std::vector<Measurement> speeds_of(const RunPlan& plan, const runlog::Run& run);

// One for each growth of the run whose model before or after can be told. scratch: the final model
// from scratch, with the same rate; without it (null) only the decay's drop can be known.
//   decay_drop: the last stage's own curve, carried on at its peak rate to the end, less what the
//     last twentieth of the steps came to. Of the last growth only.
//   rho: the grown model ends its time at the peak where the run from scratch was after D tokens;
//     without what it trained itself, D' of them came with the growth, and rho = tokens of the
//     smaller model / D'. Only of a growth out of fresh weights into the last stage. The interval
//     holds 80% of the bootstraps of both curves.
//   mixing_tokens: from the growth to the first ten logged losses whose mean lies within two
//     standard deviations of the scratch run's curve at the same step of the run.
std::vector<LearnedGrowth> growths_of(const runlog::Run& staged, const runlog::Run* scratch);

// The run's own time stamps apart, what a person reads: one line for each number that is known.
std::vector<std::string> words_of(const std::vector<LearnedGrowth>& growths);

}  // namespace stagedtrain::plan
