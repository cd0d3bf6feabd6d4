// What each rank takes of a step and of a validation.
#pragma once

#include "train/stage.h"

namespace stagedtrain::train {

// Windows that fit one pass on each of so many ranks.
std::int64_t rows_at_once(const plan::RunPlan& plan, std::int64_t ranks = 1);

// Rows of one training pass, where a step has `rows` rows of which `pieces` make a sequence:
// without batch.micro each rank makes its share of the step in one pass.
std::int64_t rows_of_pass(const plan::RunPlan& plan, std::int64_t rows, std::int64_t pieces,
                          std::int64_t ranks);

// The mean loss on a set: every rank scores its share of the passes, and all get the same report.
eval::EvalReport evaluate_on_ranks(RunContext& run, LiveState& live,
                                   const data::EvaluationSet& set);

}  // namespace stagedtrain::train
