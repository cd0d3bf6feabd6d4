// Draws the layers that a pass runs, and computes their expected cost.
#include "plan/layer_policy.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "plan/step_sums.h"

namespace stagedtrain::plan {

// Whether each pass draws anew. If batch.micro is 0, the number of passes depends on the number of
// ranks, and draws must not, so all passes of a step share one.
static bool draws_each_pass(const schedule::Schedule& s, const StagePlan& stage,
                            const LayerPolicy& policy) {
  return policy.draw(stage) == schedule::LayerDraw::micro && s.batch.micro > 0;
}

// Returns the probability that a layer runs in at least one pass of a step, averaged over the
// stage's steps. For a long stage the average is over kMostSteps evenly spread steps.
static double mean_chance(const schedule::Schedule& s, const StagePlan& stage,
                          const LayerPolicy& policy, std::int64_t layer) {
  constexpr std::int64_t kMostSteps = 1000;
  const double passes =
      draws_each_pass(s, stage, policy)
          ? std::ceil(static_cast<double>(s.batch.sequences) / static_cast<double>(s.batch.micro))
          : 1;
  const std::int64_t steps = std::max<std::int64_t>(1, stage.steps),
                     looked = std::min(steps, kMostSteps);
  double sum = 0;
  for (std::int64_t i = 0; i < looked; ++i) {
    const std::int64_t step = looked > 1 ? i * (steps - 1) / (looked - 1) : 0;
    sum += 1 - std::pow(1 - policy.keep(stage, layer, step), passes);
  }
  return sum / static_cast<double>(looked);
}

const std::vector<const LayerPolicy*>& layer_policies() {
  static const std::vector<const LayerPolicy*> policies = {&layer_dropout(), &layer_path()};
  return policies;
}

const LayerPolicy* layer_policy(const StagePlan& stage) {
  for (const LayerPolicy* policy : layer_policies())
    if (policy->is_on(stage)) return policy;
  return nullptr;
}

std::string policy_key(const StagePlan& stage) {
  const LayerPolicy* policy = layer_policy(stage);
  return policy ? policy->key : "";
}

arch::StepWork step_work(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                         std::int64_t stage_step, std::int64_t pass) {
  const LayerPolicy* policy = layer_policy(stage);
  if (!policy) return {};
  const bool each_pass = draws_each_pass(plan.schedule, stage, *policy);
  const CounterRng steps(static_cast<std::uint64_t>(plan.schedule.seed), hash_name("layer policy"));
  const auto index =
      static_cast<std::uint64_t>(step) << 20 | static_cast<std::uint64_t>(each_pass ? pass : 0);
  const CounterRng draws(steps.bits(index), 0);
  arch::StepWork work;
  for (std::int64_t layer = 0; layer < stage.model.layers; ++layer) {
    const double keep = policy->keep(stage, layer, stage_step);
    const bool runs = draws.uniform(static_cast<std::uint64_t>(layer)) < keep;
    const double scale = policy->is_scaled(stage) ? 1 / keep : 1;
    work.branch_scales.push_back(runs ? scale : 0);
  }
  return work;
}

arch::TokenFlops expected_flops_per_token(const StagePlan& stage, std::int64_t length) {
  const LayerPolicy* policy = layer_policy(stage);
  if (!policy) return arch::step_flops_per_token(stage.model, {}, stage.trained, length);
  return arch::mean_flops_per_token(stage.model, policy->mean_layers(stage), length);
}

double expected_optimizer_flops(const schedule::Schedule& s, const StagePlan& stage) {
  const double whole = optimizer_flops_per_step(s, stage.model);
  const std::int64_t layers = stage.model.layers;
  if (whole == 0 || layers == 0) return 0;
  const LayerPolicy* policy = layer_policy(stage);
  double moved = 0;  // the number of layers whose matrices are updated
  for (std::int64_t layer = 0; layer < layers; ++layer)
    moved += stage.trained.share(layer) * (policy ? mean_chance(s, stage, *policy, layer) : 1);
  return whole * moved / static_cast<double>(layers);
}

double flops_share(const StagePlan& stage) {
  return expected_flops_per_token(stage).total / arch::flops_per_token(stage.model);
}

void set_layer_policy(const schedule::Schedule& s, std::size_t i, StagePlan& stage) {
  stage.layer_dropout = s.stages[i].layer_dropout;
  stage.layer_path = s.stages[i].layer_path;
  check_layer_policy(s, i, stage);
}

void check_layer_policy(const schedule::Schedule& s, std::size_t i, const StagePlan& stage) {
  const LayerPolicy* policy = layer_policy(stage);
  if (!policy) return;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    const Tree& place = s.source.find("stages")->items[i];
    const Tree* at = place.find(policy->key);
    return (at ? *at : place).error("stages.{}.{}: {}", i, policy->key, what).with_hint(hint);
  };
  if (s.stages[i].layer_dropout && s.stages[i].layer_path)
    throw refuse("found together with layer_path, expected only one of them in a stage",
                 "remove one of them, or give each a stage of its own");
  if (stage.train_only_new)
    throw refuse("found with train_only: new, expected train_only: all",
                 "a step that leaves out the new layers would train nothing; remove one of the two "
                 "keys");
  if (const std::string what = policy->refusal(stage); !what.empty())
    throw refuse(what, "docs/policies.md describes the policy");
}

}  // namespace stagedtrain::plan
