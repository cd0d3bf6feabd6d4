// How much does the decay of a plan lower its last loss, by the annealing law?
#pragma once

#include <optional>

#include "fit/planning_law.h"
#include "plan/run_plan.h"
#include "scaling/annealing.h"
#include "scaling/loss_law.h"

namespace stagedtrain::plan {

// Sums over the steps after the warm-up: the tokens that a falling rate fails to teach, the
// annealing area, and tokens times how far the rate had fallen, by which decays are compared
// (FittedJoint::most_decay).
struct DecayEffect {
  double lost_tokens = 0, area = 0, length = 0;
};

// Half of the 80% interval of a gain C S, as a share of it. Measured: on public curves the
// annealing law misses gains of .08 to .1 nats by up to .02, depending on the shape of the decay.
inline constexpr double kGainError = 0.2;

// Returns whether decay_effect() returns an effect, without computing it.
bool has_decay_effect(const RunPlan& plan);

// Returns nothing for a plan that does not end decayed, or that has more than ten million steps.
std::optional<DecayEffect> decay_effect(const RunPlan& plan,
                                        const scaling::RateResponse& response = {});

// Returns how many times longer or shorter the decay is than those of the law's runs; 1 within
// their range, or if that is unknown.
double decay_stretch(const DecayEffect& effect, const PlanningLaw& law);
// Returns half of the 80% interval of a gain C S, as a share of it: kGainError, or more if the
// decay is longer or shorter than those of the law's runs. Measured on byte models of 1,400 steps
// and on public curves of 24,000: laws of runs with short decays miss gains of cosines, whose
// decays are five times as long, by up to half.
double gain_error(const DecayEffect& effect, const PlanningLaw& law);

// Returns what a decay with this effect gains on a curve at this strength of the annealing law;
// nothing if the decay is longer than the run.
std::optional<double> decay_gain(const DecayEffect& effect, double strength,
                                 const scaling::LossCurve& curve, double tokens);
// Returns the gain of the decay of this plan's final model, in nats; nothing if the law cannot
// predict it, or if the law's losses are those of decayed ends. `tokens` is where the final model
// ends on its curve.
std::optional<double> decay_gain(const RunPlan& plan, const PlanningLaw& law,
                                 const scaling::LossCurve& curve, double tokens);

}  // namespace stagedtrain::plan
