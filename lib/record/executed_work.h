// What did the passes of one step run? Their FLOPs, and what the step leaves as it is.
#pragma once

#include <vector>

#include "arch/idle_parts.h"
#include "checkpoint/checkpoint.h"
#include "plan/stage_policy.h"

namespace stagedtrain::train {

// What each pass of a step runs, with `rows` sequences in each but the last; empty where the stage
// has no policy that leaves out work.
std::vector<arch::StepWork> passes_of_step(const plan::RunPlan& plan, const plan::StagePlan& stage,
                                           const state::Progress& at, std::int64_t passes,
                                           std::int64_t rows);

// What a step executed that has `rows` sequences of `length` tokens, `rows_of_pass` in each pass
// but the last.
struct ExecutedWork {
  // Of the passes, and the optimizer's over the matrices that it moves; without what the policy
  // does once in a step (plan::policy_step_flops).
  double flops = 0;
  double layers = 0;     // that ran, mean over tokens; a layer that ran twice counts twice
  arch::IdleParts idle;  // what ran in no pass, or was not to be trained
};
// `frozen` are the tensors of the table that the policy does not train in this step; empty: none.
ExecutedWork executed_work(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                           const std::vector<arch::StepWork>& passes, std::int64_t rows,
                           std::int64_t rows_of_pass, std::int64_t length,
                           std::vector<bool> frozen = {});

// The moments of what is idle are as old after the step as before: Adam's bias correction counts
// the steps in which a tensor was trained.
void keep_age(const arch::ParamTable& table, const arch::IdleParts& idle,
              std::vector<state::TensorHistory>& histories);

}  // namespace stagedtrain::train
