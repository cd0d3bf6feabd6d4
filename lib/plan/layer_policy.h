// Training policies that leave out layers: which layers a pass of a stage runs, and what that
// costs.
//
// A policy is one file with a LayerPolicy, its options in schedule/layer_policies.h, and one line
// of the table in layer_policy.cc. It gives the probability at which each layer runs at each step;
// the draw, the cost and the refusals are the same for all.
//
// Draws are a function of (seed, step, pass, layer) alone, so a run that is resumed, or shared
// among ranks, runs the same layers.
#pragma once

#include "arch/step_flops.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct LayerPolicy {
  const char* key;  // of the stage in a schedule
  bool (*is_on)(const StagePlan&);
  // The probability at which a layer runs in the step `stage_step` of the stage.
  double (*keep)(const StagePlan&, std::int64_t layer, std::int64_t stage_step);
  // The number of layers that run, mean over the stage's steps.
  double (*mean_layers)(const StagePlan&);
  // Whether the branches of layers that run are multiplied by 1 / keep.
  bool (*is_scaled)(const StagePlan&);
  schedule::LayerDraw (*draw)(const StagePlan&);
  // What is wrong with the options for this stage's model: what was found and expected; or "".
  std::string (*refusal)(const StagePlan&);
  std::string (*words)(const StagePlan&);  // for people
};
const LayerPolicy& layer_dropout();  // layer_dropout.cc
const LayerPolicy& layer_path();     // layer_path.cc
const std::vector<const LayerPolicy*>& layer_policies();
// The one that is on in a stage, or null.
const LayerPolicy* layer_policy(const StagePlan& stage);
// Its key, or "".
std::string policy_key(const StagePlan& stage);

// What pass `pass` of a step runs. step counts over the run. Of a stage without a policy: all.
arch::StepWork step_work(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                         std::int64_t stage_step, std::int64_t pass);

// For a token of the stage, mean over its steps, with what it trains and runs. A batch-size warm-up
// is not weighed in.
arch::TokenFlops expected_flops_per_token(const StagePlan& stage, std::int64_t length = 0);
// FLOPs of the optimizer in a step, mean over the stage's steps: Muon's, over the matrices of
// layers that are trained and ran in one of the step's passes.
double expected_optimizer_flops(const schedule::Schedule& schedule, const StagePlan& stage);
// The FLOPs of a token, as a share of what the whole model costs when all of it is trained.
double flops_share(const StagePlan& stage);

// Fills in what stage i of the schedule says. Throws Error(usage) at its place.
void set_layer_policy(const schedule::Schedule& schedule, std::size_t i, StagePlan& stage);
// Throws Error(usage) at its place if the policy cannot be followed, as far as that is known: call
// it again when the stage's steps are.
void check_layer_policy(const schedule::Schedule& schedule, std::size_t i, const StagePlan& stage);

}  // namespace stagedtrain::plan
