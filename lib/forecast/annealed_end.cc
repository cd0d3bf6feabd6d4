// Sums up the learning rate of each step as the annealing law does.
#include "forecast/annealed_end.h"

#include <algorithm>
#include <cmath>

#include "plan/decay.h"
#include "plan/step_tokens.h"
#include "scaling/annealing.h"

namespace stagedtrain::plan {
namespace {

constexpr std::int64_t kMostSteps = 10'000'000;

}  // namespace

bool has_decay_effect(const RunPlan& plan) {
  return plan.decayed && plan.total_steps <= kMostSteps;
}

std::optional<DecayEffect> decay_effect(const RunPlan& plan,
                                        const scaling::RateResponse& response) {
  if (!has_decay_effect(plan)) return {};
  const StagePlan& last = plan.stages.back();
  DecayEffect effect;
  std::vector<double> rates = {1};
  // The warm-up and re-warm-ups are accounted for with a stage's tokens.
  for (std::int64_t step = std::max(last.first_step, plan.warmup_steps); step < plan.total_steps;
       ++step) {
    const std::int64_t stage_step = std::max(step - last.first_step, last.rewarm_steps);
    rates.push_back(learning_rate(plan, last, step, stage_step, plan.total_steps) / last.peak_lr);
    effect.lost_tokens += 1 - std::pow(rates.back(), response.rate_exponent);
    effect.length += 1 - rates.back();
  }
  effect.lost_tokens *= step_tokens(last);
  effect.length *= step_tokens(last);
  effect.area = scaling::annealing_areas(rates, response).back();
  return effect;
}

double decay_stretch(const DecayEffect& effect, const PlanningLaw& law) {
  if (!(law.most_decay > 0) || !(effect.length > 0)) return 1;
  return std::max({1.0, effect.length / law.most_decay, law.least_decay / effect.length});
}

double gain_error(const DecayEffect& effect, const PlanningLaw& law) {
  return kGainError * (1 + std::log(decay_stretch(effect, law)));
}

std::optional<double> decay_gain(const DecayEffect& effect, double strength,
                                 const scaling::LossCurve& curve, double tokens) {
  if (!(effect.lost_tokens < tokens)) return {};
  return curve.loss(tokens) - curve.loss(tokens - effect.lost_tokens) + strength * effect.area;
}

std::optional<double> decay_gain(const RunPlan& plan, const PlanningLaw& law,
                                 const scaling::LossCurve& curve, double tokens) {
  if (!law.annealing) return {};
  const auto effect = decay_effect(plan, law.response);
  if (!effect) return {};
  return decay_gain(*effect, law.annealing(law.parameters(plan.stages.back().params)), curve, tokens);
}

}  // namespace stagedtrain::plan
