// Makes the trial runs of learning rates, and prints their ranking.
#include "jobs/rate_trials.h"

#include <cmath>

#include "plan/chosen_stages.h"
#include "plan/stage_policy.h"
#include "text/error_bar.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

constexpr double kHighestRate = 10;  // that a schedule accepts

// Returns 1, 1/2, 2, 1/4, 4, and so on.
double factor_of(std::int64_t i) {
  const double power = static_cast<double>((i + 1) / 2);
  return std::exp2(i % 2 == 1 ? -power : power);
}

schedule::Schedule trial(const RunPlan& plan, std::int64_t steps, std::int64_t layers,
                         double peak) {
  schedule::StageSpec stage;
  stage.name = "trial";
  stage.length = {static_cast<double>(steps), DurationUnit::steps};
  stage.policies.train_last = layers;
  schedule::Schedule s = with_only(plan.schedule, stage);
  s.model = plan.final_model;
  s.lr.peak = peak;
  s.lr.warmup = {10, DurationUnit::percent};
  if (s.lr.curve == "wsd") s.lr.decay = {20, DurationUnit::percent};
  return s;
}

}  // namespace

std::vector<TrialRun> rate_candidates(const RunPlan& plan, std::int64_t steps, std::int64_t layers,
                                      std::int64_t rates) {
  if (layers > plan.final_model.layers)
    throw usage_error("--train-last {}: the final model has {} layers, expected at most as many",
                      layers, plan.final_model.layers);
  std::vector<TrialRun> candidates;
  for (std::int64_t i = 0; i < rates; ++i) {
    const double peak = plan.schedule.lr.peak * factor_of(i);
    if (peak > kHighestRate) continue;
    const std::string number = format_number(peak);
    candidates.push_back({"lr-" + number, "lr.peak=" + number, trial(plan, steps, layers, peak)});
  }
  return candidates;
}

RateTrialsCost rate_trials_cost(const std::vector<TrialRun>& candidates) {
  const RunPlan one = resolve(candidates.front().schedule);
  return {one.flops * static_cast<double>(candidates.size()), flops_share(one.stages[0])};
}

std::string rate_text(const std::vector<TrialResult>& ranking, std::int64_t steps) {
  std::vector<std::vector<std::string>> rows = {
      {"learning rate", fmt::format("after {} steps", grouped(steps)), "to the best"}};
  for (const TrialResult& r : ranking)
    rows.push_back({r.growth, r.loss ? with_error(*r.loss, *r.error, 4) : "not yet",
                    r.loss ? fmt::format("{:+.4f}", *r.loss - *ranking.front().loss) : ""});
  return text_table(rows, 1, "");
}

}  // namespace stagedtrain::plan
