// Which measurements of a finished run can later plans use? Speeds and the outcomes of its growths.
#pragma once

#include "outcomes/growth_outcomes.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// Returns the seconds of a token for each stage: the median over the lines of the log. `plan` is
// the plan of the run, which ran on this machine. Stages with fewer than four lines, and stages
// that do not train and run the whole model, are left out.
std::vector<Measurement> speeds_of(const RunPlan& plan, const runlog::Run& run);

// Returns one entry for each growth of the run. `scratch` are other runs. Those whose first stage
// has the size of a stage, fresh weights, and the same data, batches and peak rate show how that
// size trains from scratch; branches must be joined to the run that they began in
// (runlog/branches.h). All numbers come from differences of losses at equal steps, on the same
// batches. Numbers that the logs do not support are NaN, with the reason in `why`.
//   rho: in the second half of its time at the peak rate, the grown model has the losses that its
//     size from scratch had `lag` steps before. So after a growth at D tokens it continued as if
//     from D' = D - lag tokens. The smaller model was at D_a tokens of its own curve: those that it
//     trained on, plus, if it was grown itself, those that it resumed from. Then rho = D_a / D'.
//     The interval holds 80% of samples over the error of the differences and the bootstraps of the
//     curve from scratch. Validation losses must agree.
//   mixing_tokens: the tokens from the growth to the step after which the mean difference is 0
//     within two standard errors.
//   decay_drop: how far, in nats, the last twentieth of the run lies below a run of the same size
//     that was still at the peak rate at these steps; or else below the stage's own extrapolated
//     curve, if that is certain enough. Only for the growth into the last stage, of a run whose
//     rate decayed.
std::vector<GrowthOutcome> growths_of(const runlog::Run& staged,
                                      const std::vector<const runlog::Run*>& scratch = {});

// Returns messages: one for each number that is known, and one with the reason for each other.
std::vector<std::string> messages_of(const std::vector<GrowthOutcome>& growths);

}  // namespace stagedtrain::plan
