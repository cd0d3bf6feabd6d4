// Divides the rows of a step and the passes of an evaluation among ranks.
#include "train/shared_evaluation.h"

#include "optim/ema.h"

namespace stagedtrain::train {

std::int64_t rows_at_once(const plan::RunPlan& plan, std::int64_t ranks) {
  const schedule::BatchSpec& batch = plan.schedule.batch;
  return batch.micro ? batch.micro : (batch.sequences + ranks - 1) / ranks;
}

std::int64_t rows_of_pass(const plan::RunPlan& plan, std::int64_t rows, std::int64_t pieces,
                          std::int64_t ranks) {
  const std::int64_t micro = plan.schedule.batch.micro;
  return micro ? micro * pieces : (rows + ranks - 1) / ranks;
}

eval::EvalReport evaluate_on_ranks(RunContext& run, DeviceState& live,
                                   const data::EvaluationSet& set) {
  dist::Ranks& ranks = run.ranks;
  const auto sum = [&ranks](std::vector<double>& losses) { ranks.sum(losses); };
  return eval::evaluate(*live.model, set, rows_at_once(run.plan, ranks.size()),
                        {ranks.rank(), ranks.size(), sum});
}

eval::EvalReport evaluate_average_on_ranks(RunContext& run, DeviceState& live,
                                           const data::EvaluationSet& set) {
  const AveragedWeights averaged(*live.model);
  return evaluate_on_ranks(run, live, set);
}

double batch_loss(const RunContext& run, model::Model& model) {
  const arch::ModelConfig& config = model.config();
  const data::EvaluationSet set(run.data.validation, config.context, config.vocab,
                                rows_at_once(run.plan) * config.context);
  return eval::evaluate(model, set, rows_at_once(run.plan)).loss;
}

}  // namespace stagedtrain::train
