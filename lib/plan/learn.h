// What the log of a run teaches later plans.
#pragma once

#include "plan/learned.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// Seconds for a token of each stage, medians between lines of the log; stages of fewer than four
// lines are left out. plan is that of the run; it ran on this machine.
std::vector<Measurement> speeds_of(const RunPlan& plan, const runlog::Run& run);

// One for each growth of the run. scratch: other runs, whose first stages of fresh weights, of a
// stage's size, with the same data, batches and peak rate tell how that size learns from scratch;
// branches of a shared part must be joined (runlog/branches.h). All numbers come from differences
// of losses at equal steps, which saw the same batches; what the logs do not bear is left unknown,
// with the reason in `why`.
//   rho: over the second half of the grown model's time at the peak its losses are those that its
//     size from scratch had `lag` steps before. So D' = D - lag tokens came with the growth at D.
//     The smaller model had seen D_a: its own tokens, or, if it was grown too, what came with that
//     growth and its own. rho = D_a / D'. The interval holds 80% of draws of the differences' error
//     and of the bootstraps of the curve from scratch. Validation losses must agree with it.
//   mixing_tokens: from the growth to the step from which on the mean difference is 0 within two
//     standard errors.
//   decay_drop: of the last growth's stage. The losses of its last twentieth below those of a run of
//     the same size that was at the peak rate at these steps; without one, below the stage's own
//     curve carried on, where that is known well enough.
std::vector<LearnedGrowth> growths_of(const runlog::Run& staged,
                                      const std::vector<const runlog::Run*>& scratch = {});

// What a person reads: one line for each number that is known, and for each that is not why.
std::vector<std::string> words_of(const std::vector<LearnedGrowth>& growths);

}  // namespace stagedtrain::plan
