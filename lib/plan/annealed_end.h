// What the decay of a plan does to its last loss, by the annealing law.
#pragma once

#include <optional>

#include "law/loss_law.h"
#include "plan/planning_law.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Of all steps together: tokens that a falling rate fails to teach, and the annealing area.
struct DecayEffect {
  double lost_tokens = 0, area = 0;
};

// By how much of a predicted gain the interval of a decayed end is widened: an assumption, not a
// measurement.
inline constexpr double kGainError = 0.2;

// Nothing for a plan that does not end decayed, and for one of more than ten million steps.
std::optional<DecayEffect> decay_effect(const RunPlan& plan);

// The gain of the decay of this plan's final model, in nats; nothing where the law cannot tell it, or
// where its losses are of decayed ends. tokens: where the final model ends on its curve.
std::optional<double> decay_gain(const RunPlan& plan, const PlanningLaw& law,
                                 const law::LossCurve& curve, double tokens);

}  // namespace stagedtrain::plan
