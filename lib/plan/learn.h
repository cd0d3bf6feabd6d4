// What the log of a run teaches later plans.
#pragma once

#include "plan/learned.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// Seconds for a token of each stage, medians between lines of the log; stages of fewer than four
// lines are left out. plan is that of the run; it ran on this machine.
std::vector<Measurement> speeds_of(const RunPlan& plan, const runlog::Run& run);

// One for each growth of the run. scratch: other runs, of whose first stages those of fresh
// weights, of a stage's size and with the same peak rate tell how that size learns from scratch.
//   decay_drop: the last stage's own curve, carried on at its peak rate to the end, less what the
//     last twentieth of the steps came to. Of the last growth only; needs no other run.
//   rho: the grown model ends its time at the peak where its size from scratch was after D tokens;
//     without what it trained itself, D' of them came with the growth. The smaller model had seen
//     D_a: its own tokens, or, if it was grown too, what came with that growth and its own. rho =
//     D_a / D'. So a growth needs its size from scratch, and so does every growth before it but
//     those out of fresh weights. The interval holds 80% of the bootstraps of all these curves.
//   mixing_tokens: from the growth to the first ten logged losses whose mean lies within two
//     standard deviations of its size's curve from scratch at the same step of the run.
std::vector<LearnedGrowth> growths_of(const runlog::Run& staged,
                                      const std::vector<const runlog::Run*>& scratch = {});

// The run's own time stamps apart, what a person reads: one line for each number that is known.
std::vector<std::string> words_of(const std::vector<LearnedGrowth>& growths);

}  // namespace stagedtrain::plan
