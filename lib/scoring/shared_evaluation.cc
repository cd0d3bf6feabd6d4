// Divides the passes of an evaluation among ranks.
#include "scoring/shared_evaluation.h"

#include "optim/ema.h"
#include "optim/gradients.h"
#include "text/json.h"

namespace stagedtrain::train {

eval::EvalReport evaluate_on_ranks(RunContext& run, DeviceState& live,
                                   const data::EvaluationSet& set) {
  dist::Ranks& ranks = run.ranks;
  const auto sum = [&ranks](std::vector<double>& losses) { ranks.sum(losses); };
  return eval::evaluate(*live.model, set, rows_at_once(run.plan.schedule.batch, ranks.size()),
                        {ranks.rank(), ranks.size(), sum});
}

eval::EvalReport evaluate_average_on_ranks(RunContext& run, DeviceState& live,
                                           const data::EvaluationSet& set) {
  const AveragedWeights averaged(*live.model);
  return evaluate_on_ranks(run, live, set);
}

Json evaluation_event(const char* kind, const state::Progress& at, const eval::EvalReport& report) {
  Json event = place_event(kind, at);
  event.update({{"loss", report.loss},
                {"stderr", report.standard_error},
                {"windows", report.windows},
                {"eval_seconds", report.seconds}});
  return event;
}

double batch_loss(const RunContext& run, model::Model& model) {
  const arch::ModelConfig& config = model.config();
  const data::EvaluationSet set(run.data.validation, config.context, config.vocab,
                                rows_at_once(run.plan.schedule.batch) * config.context);
  return eval::evaluate(model, set, rows_at_once(run.plan.schedule.batch)).loss;
}

}  // namespace stagedtrain::train
