// What the decay of a plan does to its last loss, by the annealing law.
#pragma once

#include <optional>

#include "fit/planning_law.h"
#include "plan/run_plan.h"
#include "scaling/annealing.h"
#include "scaling/loss_law.h"

namespace stagedtrain::plan {

// Of all steps together: tokens that a falling rate fails to teach, the annealing area, and tokens
// times how far the rate had fallen, by which decays are compared (FittedJoint::most_decay).
struct DecayEffect {
  double lost_tokens = 0, area = 0, length = 0;
};

// Half of the 80% interval of a gain C S, as a part of it. Measured: on public curves the annealing
// law misses gains of .08 to .1 nats by up to .02, depending on the shape of the decay.
inline constexpr double kGainError = 0.2;

// Whether decay_effect() returns one, without computing it.
bool has_decay_effect(const RunPlan& plan);

// Nothing for a plan that does not end decayed, and for one of more than ten million steps.
std::optional<DecayEffect> decay_effect(const RunPlan& plan,
                                        const law::RateResponse& response = {});

// How many times longer or shorter the decay is than those of the law's runs; 1 within their range,
// and if it is unknown.
double decay_stretch(const DecayEffect& effect, const PlanningLaw& law);
// Half of the 80% interval of a gain C S, as a part of it: kGainError, more for a decay of another
// length than the law's runs had. Measured on byte models of 1,400 steps and on public curves of
// 24,000: laws of runs with short decays miss gains of cosines, whose decays are five times as
// long, by up to half.
double gain_error(const DecayEffect& effect, const PlanningLaw& law);

// What a decay of this effect gains on a curve at a strength; nothing where it is longer than the run.
std::optional<double> decay_gain(const DecayEffect& effect, double strength,
                                 const law::LossCurve& curve, double tokens);
// The gain of the decay of this plan's final model, in nats; nothing where the law cannot tell it, or
// where its losses are of decayed ends. tokens: where the final model ends on its curve.
std::optional<double> decay_gain(const RunPlan& plan, const PlanningLaw& law,
                                 const law::LossCurve& curve, double tokens);

}  // namespace stagedtrain::plan
