// Draws what a pass runs, computes expected costs, and refuses what does not go together.
#include "plan/stage_policy.h"

#include <algorithm>
#include <cmath>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "plan/selection_cost.h"
#include "plan/step_sums.h"
#include "policies/transplant.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// Whether each pass draws anew. If batch.micro is 0, the number of passes depends on the number of
// ranks, and draws must not, so all passes of a step share one.
bool draws_anew(const schedule::Schedule& s, const StagePlan& stage) {
  return draws_for_micro_batches(stage) && s.batch.micro > 0;
}

// Returns the probability that a layer runs in at least one pass of a step, averaged over the
// stage's steps. For a long stage the average is over kMostSteps evenly spread steps.
double mean_chance(const schedule::Schedule& s, const StagePlan& stage, const Policy& policy,
                   std::int64_t layer) {
  constexpr std::int64_t kMostSteps = 1000;
  const double passes =
      draws_anew(s, stage)
          ? std::ceil(static_cast<double>(s.batch.sequences) / static_cast<double>(s.batch.micro))
          : 1;
  const std::int64_t steps = std::max<std::int64_t>(1, stage.steps),
                     looked = std::min(steps, kMostSteps);
  double sum = 0;
  for (std::int64_t i = 0; i < looked; ++i) {
    const std::int64_t step = looked > 1 ? i * (steps - 1) / (looked - 1) : 0;
    sum += 1 - std::pow(1 - policy.chance(policy_stage(stage), layer, step), passes);
  }
  return sum / static_cast<double>(looked);
}

// Returns why a policy cannot be combined with the rest of the schedule, or "".
std::string conflict(const schedule::Schedule& s, const StagePlan& stage, const Policy& policy) {
  for (const Policy* other : policies())
    if (other != &policy && other->is_on(stage.policies))
      return fmt::format("found together with {}, expected only one of them in a stage",
                         other->key);
  if (stage.train_only_new && !policy.with_only_new)
    return "found with train_only: new, expected train_only: all: a step that leaves out the new "
           "layers would train nothing";
  if (policy.work && arch::is_looped(stage.model))
    return "found in a model with a looped core, expected a model without one (model.core: 0): "
           "policies choose among layers that run once";
  if (policy.work && arch::has_routed_layers(stage.model))
    return "found in a model with routed layers, expected a model without them "
           "(model.routed_every: "
           "0): routers choose what a pass runs";
  if (stage.policies.ffn_path && s.optimizer.name == schedule::OptimizerName::muon)
    return "found with optimizer muon, expected another one: Muon orthogonalizes whole matrices, "
           "and a path trains a part of them";
  if (stage.policies.adapters && s.optimizer.name == schedule::OptimizerName::muon)
    return "found with optimizer muon, expected another one: Muon orthogonalizes what moves a "
           "matrix, and an adapter moves it as B A";
  if ((stage.policies.adapters || stage.policies.teacher) && stage.growth)
    for (const grow::GrowthStep& step : stage.growth->steps)
      if (step.mask_steps > 0)
        return "found with the operator mask, expected other operators: while a mask rises, no "
               "matrix is the one that runs";
  if (stage.policies.token_dropping && s.batch.length_warmup)
    return "found with batch.length_warmup, expected only one of them: both shorten what the "
           "middle layers see";
  return "";
}

}  // namespace

std::string policy_key(const StagePlan& stage) {
  const Policy* policy = stage_policy(stage);
  return policy ? policy->key : "";
}

PolicyStage policy_stage(const StagePlan& stage, std::uint64_t seed) {
  return {stage.model, stage.steps,       stage.policies,
          seed,        stage.old_tensors, stage.larger ? &*stage.larger : nullptr};
}

arch::StepWork step_work(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                         std::int64_t stage_step, std::int64_t pass, std::int64_t rows) {
  const Policy* policy = stage_policy(stage);
  if (!policy || !policy->work) return {};
  const bool each_pass = draws_anew(plan.schedule, stage);
  const auto seed = static_cast<std::uint64_t>(plan.schedule.seed);
  const CounterRng steps(seed, hash_name("layer policy"));
  const auto index =
      static_cast<std::uint64_t>(step) << 20 | static_cast<std::uint64_t>(each_pass ? pass : 0);
  arch::StepWork work =
      policy->work(policy_stage(stage, seed), stage_step, CounterRng(steps.bits(index), 0));
  if (work.drops_tokens()) work.first_sequence = pass * rows;
  return work;
}

std::vector<bool> frozen_in_step(const RunPlan& plan, const StagePlan& stage,
                                 const arch::ParamTable& table, std::int64_t stage_step) {
  const Policy* policy = stage_policy(stage);
  if (!policy || !policy->frozen) return {};
  const auto seed = static_cast<std::uint64_t>(plan.schedule.seed);
  return policy->frozen(policy_stage(stage, seed), table, stage_step);
}

bool draws_for_micro_batches(const StagePlan& stage) {
  const Policy* policy = stage_policy(stage);
  return policy && policy->draw && policy->draw(stage.policies) == schedule::LayerDraw::micro;
}

arch::TokenFlops expected_flops_per_token(const StagePlan& stage, std::int64_t length) {
  const Policy* policy = stage_policy(stage);
  if (!policy) return arch::step_flops_per_token(stage.model, {}, stage.trained, length);
  return policy->mean_flops(policy_stage(stage), length);
}

double policy_step_flops(const StagePlan& stage) {
  const Policy* policy = stage_policy(stage);
  return policy && policy->step_flops ? policy->step_flops(policy_stage(stage)) : 0;
}

double policy_memory(const schedule::Schedule& s, const StagePlan& stage) {
  const Policy* policy = stage_policy(stage);
  if (!policy || !policy->more_memory) return 0;
  return policy->more_memory(policy_stage(stage), s.precision == schedule::Precision::fp64 ? 8 : 4);
}

double expected_optimizer_flops(const schedule::Schedule& s, const StagePlan& stage) {
  const double whole = optimizer_flops_per_step(s, stage.model);
  if (whole == 0) return policy_step_flops(stage);
  const std::int64_t layers = stage.model.layers;
  const Policy* policy = stage_policy(stage);
  double moved = 0;  // the number of layers whose matrices are updated
  for (std::int64_t layer = 0; layer < layers; ++layer)
    moved += stage.trained.share(layer) * (policy ? mean_chance(s, stage, *policy, layer) : 1);
  return whole * moved / static_cast<double>(layers) + policy_step_flops(stage);
}

double flops_share(const StagePlan& stage) {
  return expected_flops_per_token(stage).total / arch::flops_per_token(stage.model);
}

arch::ModelConfig executed_model(const StagePlan& stage) {
  arch::ModelConfig model = stage.model;
  const Policy* policy = stage_policy(stage);
  if (policy && policy->most_layers) model.layers = policy->most_layers(policy_stage(stage));
  return model;
}

std::string start_flops_text(const StagePlan& stage) {
  if (!transplants(stage.policies)) return "";
  return stage.larger ? short_count(stage.start.total) : "?";
}

std::string total_flops_text(const RunPlan& plan) {
  const bool is_lower_bound = std::ranges::any_of(plan.stages, [](const StagePlan& stage) {
    return start_flops_text(stage) == "?" ||
           (stage.selection.passes > 0 && selection_flops_text(stage) == "?");
  });
  return (is_lower_bound ? "over " : "") + short_count(plan.flops);
}

void set_policy(const schedule::Schedule& s, const DataFacts& facts, std::size_t i,
                StagePlan& stage) {
  stage.policies = s.stages[i].policies;
  if (transplants(stage.policies))
    if (const auto found = facts.larger.find(stage.policies.adapters->from);
        found != facts.larger.end())
      stage.larger = found->second;
  check_policy(s, i, stage);
  if (const Policy* policy = stage_policy(stage); policy && policy->start_flops)
    stage.start = policy->start_flops(policy_stage(stage));
}

void check_policy(const schedule::Schedule& s, std::size_t i, const StagePlan& stage) {
  const Policy* policy = stage_policy(stage);
  if (!policy) return;
  std::string what = conflict(s, stage, *policy);
  if (what.empty()) what = policy->refusal(policy_stage(stage));
  if (what.empty()) return;
  const Tree& place = s.source.find("stages")->items[i];
  const Tree* at = place.find(policy->key);
  throw(at ? *at : place)
      .error("stages.{}.{}: {}", i, policy->key, what)
      .with_hint("docs/policies.md describes the policy; a stage of its own can have another one");
}

}  // namespace stagedtrain::plan
