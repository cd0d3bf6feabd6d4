// Which losses does a scaling law predict for a plan's stages, and what would a run from scratch
// cost?
#pragma once

#include "cost/run_cost.h"
#include "fit/planning_law.h"
#include "forecast/cost_to_end.h"
#include "scaling/transfer.h"

namespace stagedtrain::plan {

// A predicted loss in nats, with its 80% interval if the law has samples.
struct LossRange {
  double loss = 0;
  std::optional<std::array<double, 2>> range;
};

struct StageForecast {
  double resume_tokens = 0;        // its position on its own curve when it begins
  std::optional<LossRange> begin;  // empty for fresh weights
  LossRange end;
  double end_slope = 0;  // d ln L / d ln C
};

// The saved share of the cost of the run from scratch to the same loss, in each way of counting.
// Negative means that the staged run costs more.
struct Savings {
  double flops = 0, causal_flops = 0, parameters = 0, non_embedding = 0;
  std::optional<double> seconds;
};

// Returns "FLOPs 4.8%, causal 5.0%, ...".
std::string savings_text(const Savings& savings);

struct Forecast {
  scaling::Assumption assumption = scaling::Assumption::loss_state;
  std::vector<StageForecast> stages;
  // The final model from scratch: its tokens to the same loss, and its loss for the same FLOPs.
  double scratch_tokens = 0, scratch_loss = 0;
  Savings savings;
  std::optional<std::array<double, 2>> flops_range;    // 80% interval of savings.flops
  std::optional<std::array<double, 2>> seconds_range;  // 80% interval of savings.seconds
  std::optional<CostToEnd> to_end;                     // nothing if the law has no samples
};

// When is growing into a stage best under loss-state? In steps of the run.
struct GrowthWindow {
  std::string stage;                                // the stage that is grown into
  double planned = 0;                               // when the schedule grows
  bool pays = false;                                // whether growing saves anything at any time
  double best = 0, earliest = 0, latest = 0;        // the last two keep 95% of the saving
  std::optional<std::array<double, 2>> best_range;  // 80% interval of best, if the law has samples
};

// The predictions of a law, or the reason why it has none.
struct Outlook {
  std::string law, source, end;
  bool published = false;           // the law was fitted to runs of others
  std::vector<Forecast> forecasts;  // the requested assumption, then floor and ceiling if different
  std::vector<GrowthWindow> windows;  // one for each growth, if loss-state has a forecast
  std::string nothing;                // the reason, if there is no forecast
  std::vector<std::string> warnings;
};

// Predicts the losses of a plan. If the plan starts from a checkpoint, or if the law has no curve
// of a size or predicts a loss worse than guessing there, the reason is in Outlook::nothing. A plan
// of one stage has only the forecast of the requested assumption.
Outlook forecast(const RunPlan& plan, const RunCost& cost, const PlanningLaw& law,
                 const Transfer& transfer);

// What measured runs show about the floor, which is an assumption and not a bound.
inline constexpr const char* kFloorRecord =
    "of six measured runs, five saved slightly less than it, and one saved as much";

std::string to_text(const GrowthWindow& window);
// Explains the assumptions of floor and ceiling, in indented lines.
std::string assumptions_text();
std::string to_text(const RunPlan& plan, const Outlook& outlook);
Json to_json(const RunPlan& plan, const Outlook& outlook);

}  // namespace stagedtrain::plan
