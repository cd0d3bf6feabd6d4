// Which share of an evaluation does each rank take?
#pragma once

#include "eval/evaluate.h"
#include "replicas/run_context.h"

namespace stagedtrain::train {

// Computes the mean loss on a set. Every rank scores its share of the passes, and all ranks get the
// same report.
eval::EvalReport evaluate_on_ranks(RunContext& run, DeviceState& live,
                                   const data::EvaluationSet& set);
// Does the same with the moving average of the weights, which the state must have.
eval::EvalReport evaluate_average_on_ranks(RunContext& run, DeviceState& live,
                                           const data::EvaluationSet& set);

// Returns an event of this kind (record/event_log.h) with the numbers of an evaluation.
Json evaluation_event(const char* kind, const state::Progress& at, const eval::EvalReport& report);

// Computes the mean loss on one batch of validation windows, the same at every growth of a run.
// Every rank scores all of it.
double batch_loss(const RunContext& run, model::Model& model);

}  // namespace stagedtrain::train
