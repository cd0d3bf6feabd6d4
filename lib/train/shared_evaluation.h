// Determines which share of a step and of an evaluation each rank takes.
#pragma once

#include "train/stage.h"

namespace stagedtrain::train {

// Returns the number of windows of one pass if the batch is divided among this many ranks.
std::int64_t rows_at_once(const plan::RunPlan& plan, std::int64_t ranks = 1);

// Returns the rows of one training pass, where a step has `rows` rows, of which `pieces` make a
// sequence. Without batch.micro, each rank runs its share of the step in one pass.
std::int64_t rows_of_pass(const plan::RunPlan& plan, std::int64_t rows, std::int64_t pieces,
                          std::int64_t ranks);

// Computes the mean loss on a set. Every rank scores its share of the passes, and all ranks get the
// same report.
eval::EvalReport evaluate_on_ranks(RunContext& run, DeviceState& live,
                                   const data::EvaluationSet& set);
// Does the same with the moving average of the weights, which the state must have.
eval::EvalReport evaluate_average_on_ranks(RunContext& run, DeviceState& live,
                                           const data::EvaluationSet& set);

// Computes the mean loss on one batch of validation windows, the same at every growth of a run.
// Every rank scores all of it.
double batch_loss(const RunContext& run, model::Model& model);

}  // namespace stagedtrain::train
