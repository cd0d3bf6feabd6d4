// The rate of each step, summed up as the annealing law does.
#include "plan/annealed_end.h"

#include "law/annealing.h"
#include "plan/decay.h"

namespace stagedtrain::plan {
namespace {

constexpr std::int64_t kMostSteps = 10'000'000;

}  // namespace

std::optional<DecayEffect> decay_effect(const RunPlan& plan) {
  if (!plan.decayed || plan.total_steps > kMostSteps) return {};
  const StagePlan& last = plan.stages.back();
  DecayEffect effect;
  std::vector<double> rates = {1};
  for (std::int64_t step = last.first_step; step < plan.total_steps; ++step) {
    // Re-warm-ups are counted where a stage's tokens are.
    const std::int64_t stage_step = std::max(step - last.first_step, last.rewarm_steps);
    rates.push_back(learning_rate(plan, last, step, stage_step, plan.total_steps) / last.peak_lr);
    effect.lost_tokens += 1 - rates.back();
  }
  effect.lost_tokens *= static_cast<double>(last.tokens) / static_cast<double>(last.steps);
  effect.area = law::annealing_areas(rates).back();
  return effect;
}

std::optional<double> decay_gain(const DecayEffect& effect, double strength,
                                 const law::LossCurve& curve, double tokens) {
  if (!(effect.lost_tokens < tokens)) return {};
  return curve.loss(tokens) - curve.loss(tokens - effect.lost_tokens) + strength * effect.area;
}

std::optional<double> decay_gain(const RunPlan& plan, const PlanningLaw& law,
                                 const law::LossCurve& curve, double tokens) {
  if (!law.annealing) return {};
  const auto effect = decay_effect(plan);
  if (!effect) return {};
  return decay_gain(*effect, law.annealing(law.parameters(plan.stages.back().params)), curve, tokens);
}

}  // namespace stagedtrain::plan
