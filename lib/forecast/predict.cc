// Reduces a forecast to the few numbers that can be scored.
#include "forecast/predict.h"

#include "fit/recipe.h"

namespace stagedtrain::plan {
namespace {

runlog::PredictedNumber predicted(double value, const std::optional<std::array<double, 2>>& range,
                                  double widened) {
  runlog::PredictedNumber number{.value = value};
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
  if (law.recipe && has_other_data(*law.recipe, plan))
    prediction.why_not = "the law was fitted to runs on other data";
  if (cost.timed) prediction.seconds.value = cost.total.training_seconds;
  if (!prediction.made()) return prediction;
  const Forecast& asked = outlook.forecasts[0];
  if (plan.stages.size() > 1) prediction.assumption = scaling::assumption_name(asked.assumption);
  const LossRange& end = asked.stages.back().end;
  prediction.loss = predicted(end.loss, end.range, law.loss_widening);
  if (plan.stages.size() > 1)
    prediction.saving = predicted(asked.savings.flops, asked.flops_range, law.saving_widening);
  return prediction;
}

// Moves the prediction to the loss that the planner gave the last stage: it may know more than the
// law, such as the drop of a decay that was measured.
void keep_to(double loss, runlog::PredictedNumber& end) {
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
