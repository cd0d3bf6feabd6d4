// Which training policy is on in a stage, what does it do in each step, and what does the stage
// cost under it?
#pragma once

#include "plan/run_plan.h"
#include "policies/policy.h"

namespace stagedtrain::plan {

// Returns the policy that is on in a stage, or null.
inline const Policy* stage_policy(const StagePlan& stage) { return policy_of(stage.policies); }
// Returns the key of the stage's policy, or "".
std::string policy_key(const StagePlan& stage);
// Returns the stage as its policy sees it. The result refers to the stage.
PolicyStage policy_stage(const StagePlan& stage, std::uint64_t seed = 0);

// Returns what pass `pass` of a step runs: all layers, if the stage has no policy. `step` counts
// over the run, `stage_step` over the stage. rows: the sequences of each pass but the last.
arch::StepWork step_work(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                         std::int64_t stage_step, std::int64_t pass, std::int64_t rows = 0);
// Returns which tensors of the table a step does not train, besides what the stage's train_only
// leaves out; empty: none.
std::vector<bool> frozen_in_step(const RunPlan& plan, const StagePlan& stage,
                                 const arch::ParamTable& table, std::int64_t stage_step);
// Whether what a step runs may depend on how it is divided into micro-batches.
bool draws_for_micro_batches(const StagePlan& stage);

// Returns the mean FLOPs of a token over the stage's steps, for what the stage trains and runs.
// `length` is that of the sequence; 0 means the context. Steps are not weighted by a batch-size
// warm-up.
arch::TokenFlops expected_flops_per_token(const StagePlan& stage, std::int64_t length = 0);
// Returns the FLOPs of a step of the stage's policy that depend on no token.
double policy_step_flops(const StagePlan& stage);
// Returns the bytes that the stage's policy adds to the memory of a run on one process, or takes
// away.
double policy_memory(const schedule::Schedule& schedule, const StagePlan& stage);
// Returns the mean FLOPs of the optimizer and the policy in a step that depend on no token: Muon's,
// for the matrices of layers that are trained and ran in a pass of the step. Other optimizers count
// 0.
double expected_optimizer_flops(const schedule::Schedule& schedule, const StagePlan& stage);
// Returns the FLOPs of a token as a share of those of the whole model, all of it trained.
double flops_share(const StagePlan& stage);
// Returns the model as large as a pass may execute it: with shared layers, as deep.
arch::ModelConfig executed_model(const StagePlan& stage);

// Returns what the stage's policy costs before the first step, as text: "" if nothing, and "?" if
// that is not known without a file.
std::string start_flops_text(const StagePlan& stage);
// Returns all FLOPs of the run, as "3.49T", or "over 3.49T" if a part of them is not known without
// a file.
std::string total_flops_text(const RunPlan& plan);

// Fills in the policy of stage i of the schedule, and checks it as check_policy does.
void set_policy(const schedule::Schedule& schedule, const DataFacts& facts, std::size_t i,
                StagePlan& stage);
// Throws Error(usage) at the policy's position in the schedule if it cannot be followed. Call it
// again when the stage's steps are known.
void check_policy(const schedule::Schedule& schedule, std::size_t i, const StagePlan& stage);

}  // namespace stagedtrain::plan
