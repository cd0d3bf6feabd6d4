// A forecast as the few numbers that can be scored.
#include "plan/predict.h"

namespace stagedtrain::plan {
namespace {

runlog::Foretold foretold(double value, const std::optional<std::array<double, 2>>& range,
                          double widened) {
  runlog::Foretold number{.value = value};
  if (!range) return number;
  number.low = (*range)[0];
  number.high = (*range)[1];
  number.widened = widened;
  return number;
}

runlog::Prediction predicted(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                             const Measurements& known) {
  const RunCost cost = run_cost(plan, known);
  const Outlook outlook = forecast(plan, cost, law, transfer);
  runlog::Prediction prediction;
  prediction.law = law.name;
  prediction.why_not = outlook.nothing;
  if (cost.timed) prediction.seconds.value = cost.total.training_seconds;
  if (!outlook.nothing.empty()) return prediction;
  const Forecast& asked = outlook.forecasts[0];
  if (plan.stages.size() > 1) prediction.assumption = law::assumption_name(asked.assumption);
  const LossRange& end = asked.stages.back().end;
  prediction.loss = foretold(end.loss, end.range, law.loss_widening);
  if (plan.stages.size() > 1)
    prediction.saving = foretold(asked.savings.flops, asked.flops_range, law.saving_widening);
  return prediction;
}

// What the planner itself said of the end, where it knows more than the law: the drop of a decay.
void keep_to(double loss, runlog::Foretold& end) {
  const double more = loss - end.value;
  end.value += more;
  end.low += more;
  end.high += more;
}

}  // namespace

runlog::Prediction predict(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                           const Measurements& known) {
  try {
    runlog::Prediction prediction = predicted(plan, law, transfer, known);
    if (const auto& loss = plan.stages.back().predicted_loss; loss && prediction.made())
      keep_to(*loss, prediction.loss);
    return prediction;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage && error.kind() != ErrorKind::input) throw;
    runlog::Prediction none;
    none.law = law.name;
    none.why_not = error.what();
    return none;
  }
}

}  // namespace stagedtrain::plan
