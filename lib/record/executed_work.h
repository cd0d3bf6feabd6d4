// What did the passes of one step run? Their FLOPs, and the layers that ran in none of them.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "plan/layer_policy.h"

namespace stagedtrain::train {

// Returns what each pass of a step runs, or nothing if the stage has no policy.
std::vector<arch::StepWork> passes_of_step(const plan::RunPlan& plan, const plan::StagePlan& stage,
                                           const state::Progress& at, std::int64_t passes);

// What a step executed that has `rows` sequences of `length` tokens, `rows_of_pass` in each pass
// but the last.
struct ExecutedWork {
  double flops = 0;   // what passes cost, and the optimizer for the matrices that it moves
  double layers = 0;  // number that ran, mean over tokens
  std::vector<bool> idle_layers;  // marks those that ran in no pass; empty: none
};
ExecutedWork executed_work(const schedule::Schedule& schedule, const plan::StagePlan& stage,
                           const std::vector<arch::StepWork>& passes, std::int64_t rows,
                           std::int64_t rows_of_pass, std::int64_t length);

// The moments of layers that did not run are as old after the step as before: Adam's bias
// correction counts the steps in which a tensor ran.
void keep_age(const arch::ParamTable& table, const std::vector<bool>& idle_layers,
              std::vector<state::TensorHistory>& histories);

}  // namespace stagedtrain::train
