// Which layers does a pass of a stage run, and what does that cost? Training policies that leave
// out layers.
//
// A policy consists of one file with a LayerPolicy, its options in schedule/layer_policies.h, and
// one line of the table in layer_policy.cc. It gives the probability with which each layer runs in
// each step. Drawing, costs and general refusals are the same for all policies.
//
// Draws are a function of (seed, step, pass, layer) alone, so a run that is resumed or distributed
// over ranks runs the same layers.
#pragma once

#include "arch/step_flops.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct LayerPolicy {
  const char* key;  // the stage's key in a schedule
  bool (*is_on)(const StagePlan&);
  // Returns the probability with which a layer runs in the step `stage_step` of the stage.
  double (*keep)(const StagePlan&, std::int64_t layer, std::int64_t stage_step);
  // Returns the mean number of layers that run, over the stage's steps.
  double (*mean_layers)(const StagePlan&);
  // Whether the branches of layers that run are multiplied by 1 / keep.
  bool (*is_scaled)(const StagePlan&);
  schedule::LayerDraw (*draw)(const StagePlan&);
  // Returns what is wrong with the options for this stage (what was found and expected), or "".
  std::string (*refusal)(const StagePlan&);
  std::string (*description)(const StagePlan&);  // the policy in a sentence
};
const LayerPolicy& layer_dropout();  // layer_dropout.cc
const LayerPolicy& layer_path();     // layer_path.cc
const std::vector<const LayerPolicy*>& layer_policies();
// Returns the policy that is on in a stage, or null.
const LayerPolicy* layer_policy(const StagePlan& stage);
// Returns the key of the stage's policy, or "".
std::string policy_key(const StagePlan& stage);

// Returns what pass `pass` of a step runs: all layers, if the stage has no policy. `step` counts
// over the run, `stage_step` over the stage.
arch::StepWork step_work(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                         std::int64_t stage_step, std::int64_t pass);

// Returns the mean FLOPs of a token over the stage's steps, for what the stage trains and runs.
// `length` is that of the sequence; 0 means the context. Steps are not weighted by a batch-size
// warm-up.
arch::TokenFlops expected_flops_per_token(const StagePlan& stage, std::int64_t length = 0);
// Returns the mean FLOPs of the optimizer in a step: Muon's, for the matrices of layers that are
// trained and ran in a pass of the step. Other optimizers count 0.
double expected_optimizer_flops(const schedule::Schedule& schedule, const StagePlan& stage);
// Returns the FLOPs of a token as a share of those of the whole model, all of it trained.
double flops_share(const StagePlan& stage);

// Fills in the policy of stage i of the schedule, and checks it as check_layer_policy does.
void set_layer_policy(const schedule::Schedule& schedule, std::size_t i, StagePlan& stage);
// Throws Error(usage) at the policy's position in the schedule if it cannot be followed. Call it
// again when the stage's steps are known.
void check_layer_policy(const schedule::Schedule& schedule, std::size_t i, const StagePlan& stage);

}  // namespace stagedtrain::plan
