// The losses that a law predicts for a plan's stages, and what a run from scratch would cost.
#pragma once

#include "plan/planning_law.h"
#include "plan/run_cost.h"
#include "plan/transfer.h"

namespace stagedtrain::plan {

// A loss with its 80% interval, which holds 80% of the law's bootstraps, if it has any.
struct LossRange {
  double loss = 0;
  std::optional<std::array<double, 2>> range;
};

struct StageForecast {
  double resume_tokens = 0;        // where it stands on its own curve when it begins
  std::optional<LossRange> begin;  // nothing for fresh weights
  LossRange end;
  double end_slope = 0;  // d ln L / d ln C
};

// A part of the cost of the run from scratch that comes to the same loss, saved; negative: lost.
struct Savings {
  double flops = 0, causal_flops = 0, parameters = 0, non_embedding = 0;
  std::optional<double> seconds;
};

// "FLOPs 4.8%, causal 5.0%, ..."
std::string savings_words(const Savings& savings);

struct Forecast {
  law::Assumption assumption = law::Assumption::loss_state;
  std::vector<StageForecast> stages;
  // The final model from scratch: tokens to the same loss, and its loss for the same FLOPs.
  double scratch_tokens = 0, scratch_loss = 0;
  Savings savings;
  std::optional<std::array<double, 2>> flops_range;  // 80% interval of savings.flops
};

// When growing into a stage is best under loss-state, in steps of the run.
struct GrowthWindow {
  std::string stage;                          // that is grown into
  double planned = 0;                         // where the schedule grows
  bool pays = false;                          // whether any time does
  double best = 0, earliest = 0, latest = 0;  // between these two 95 % of what it saves is kept
};

// What the law says, or why it says nothing.
struct Outlook {
  std::string law, source, end;
  bool published = false;  // the law is of others' runs
  std::vector<Forecast> forecasts;  // what was asked for, then floor and ceiling if they are others
  std::vector<GrowthWindow> windows;  // of the growths, if there is a forecast under loss-state
  std::string nothing;                // the reason, if there is no forecast
  std::vector<std::string> warnings;
};

// Of a plan that starts from fresh weights. Throws Error(usage) only for a transfer that makes no
// sense; a law that has no curve of a size, or that is nonsense there, is the Outlook's `nothing`.
Outlook forecast(const RunPlan& plan, const RunCost& cost, const PlanningLaw& law,
                 const Transfer& transfer);

// What strains a law: sizes and tokens far from what it was fitted to.
std::vector<std::string> law_warnings(const PlanningLaw& law, const std::string& name,
                                      const arch::ParamCount& params, double tokens);

// That own curves do not know the decay of this plan; "" where they need not.
std::string before_decay(const PlanningLaw& law, const RunPlan& plan);

// That a run reads its text so often.
std::string epochs_warning(double times);

std::string to_text(const GrowthWindow& window);
// What floor and ceiling assume, in indented lines.
std::string assumptions_text();
std::string to_text(const RunPlan& plan, const Outlook& outlook);
Json to_json(const RunPlan& plan, const Outlook& outlook);

}  // namespace stagedtrain::plan
