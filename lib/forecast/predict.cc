// Reduces a forecast to the few numbers that can be scored.
#include "forecast/predict.h"

#include <algorithm>

#include "cost/link_times.h"
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

// Returns whether the cost of several processes says how long they take; that of one always does.
bool is_time_known(const RunPlan& plan, const RunCost& cost, double threads) {
  if (cost.processes.count == 1) return true;
  const auto as_measured = [threads](const StageCost& stage) {
    return stage.threads == 0 || stage.threads == threads;
  };
  return is_sending_timed(cluster_of(plan.schedule.machine, cost.processes.count)) &&
         std::ranges::all_of(cost.stages, as_measured);
}

runlog::Prediction predicted(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                             const Measurements& known, const Processes& processes,
                             double threads) {
  const RunCost cost = run_cost(plan, known, processes);
  const Outlook outlook = forecast(plan, cost, law, transfer);
  runlog::Prediction prediction;
  prediction.law = law.name;
  prediction.why_not = outlook.nothing;
  if (law.recipe && has_other_data(*law.recipe, plan))
    prediction.why_not = "the law was fitted to runs on other data";
  if (cost.timed && is_time_known(plan, cost, threads))
    prediction.seconds.value = cost.total.training_seconds;
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
                           const Measurements& known, const Processes& processes, double threads) {
  try {
    runlog::Prediction prediction = predicted(plan, law, transfer, known, processes, threads);
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
