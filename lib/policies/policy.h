// What does a pass of a stage run, what does a step train, and what does that cost? The training
// policies of a stage (docs/policies.md).
//
// A policy consists of one file with a Policy, its options in schedule/policies.h, and one line of
// the table in policies.cc. Where it is called from, and what is refused for all policies alike,
// is the subject of plan/stage_policy.h.
//
// Draws are a function of (seed, step, pass) alone, so a run that is resumed or distributed over
// ranks does the same work.
#pragma once

#include <string>
#include <vector>

#include "arch/param_table.h"
#include "arch/step_flops.h"
#include "base/rng.h"
#include "schedule/policies.h"

namespace stagedtrain::plan {

// What a policy knows of its stage. `steps` is 0 until the stage's length is known. `seed` is the
// run's.
struct PolicyStage {
  const arch::ModelConfig& model;
  std::int64_t steps;
  const schedule::Policies& keys;
  std::uint64_t seed = 0;
  // Which tensors of the table were there before the stage's growth, if the stage has train_only:
  // new; else empty.
  const std::vector<bool>& old = no_tensors();
  // The model in the checkpoint that adapters begin from, or null: there is none, or no such file.
  const arch::ModelConfig* larger = nullptr;
  static const std::vector<bool>& no_tensors();
};

// Every function requires that the policy is on.
struct Policy {
  const char* key;  // the stage's key in a schedule
  bool (*is_on)(const schedule::Policies&);
  // Returns the mean FLOPs of a token over the stage's steps. A length of 0 means the context.
  arch::TokenFlops (*mean_flops)(const PolicyStage&, std::int64_t length);
  // Returns the probability that a layer runs and is trained in a pass of the step `stage_step`.
  double (*chance)(const PolicyStage&, std::int64_t layer, std::int64_t stage_step);
  // Returns what is wrong with the options for this stage (what was found and expected), or "".
  std::string (*refusal)(const PolicyStage&);
  std::string (*description)(const PolicyStage&);  // the policy in a sentence
  // Returns what a pass runs. `draws` are the random numbers of this pass. Null: the whole model.
  arch::StepWork (*work)(const PolicyStage&, std::int64_t stage_step,
                         const CounterRng& draws) = nullptr;
  // How often `work` draws. Null: it draws nothing, or once for each step.
  schedule::LayerDraw (*draw)(const schedule::Policies&) = nullptr;
  // Returns which tensors of the table a step does not train; empty: none. Null: it trains all.
  std::vector<bool> (*frozen)(const PolicyStage&, const arch::ParamTable&,
                              std::int64_t stage_step) = nullptr;
  // Returns the FLOPs of a step that depend on no token, besides those of the optimizer. Null: 0.
  double (*step_flops)(const PolicyStage&) = nullptr;
  // Returns the FLOPs before the stage's first step. Null: 0.
  arch::TokenFlops (*start_flops)(const PolicyStage&) = nullptr;
  // Returns how many bytes of memory a stage needs besides those of the model, or fewer if it is
  // below 0, where a number has so many bytes. Null: 0.
  double (*more_memory)(const PolicyStage&, double number_bytes) = nullptr;
  // Whether the policy may be combined with train_only: new.
  bool with_only_new = false;
  // Returns the most layers that a pass runs, or that need as much memory as what it runs, counting
  // those that run several times as often. Null: at most those of the model.
  std::int64_t (*most_layers)(const PolicyStage&) = nullptr;
};
const Policy& layer_dropout();   // layer_dropout.cc
const Policy& layer_path();      // layer_path.cc
const Policy& ffn_path();        // ffn_path.cc
const Policy& layer_sharing();   // layer_sharing.cc
const Policy& token_dropping();  // token_dropping.cc
const Policy& train_groups();    // train_groups.cc
const Policy& train_last();      // train_last.cc
const Policy& adapters();        // adapters.cc
const Policy& teacher();         // teacher.cc

const std::vector<const Policy*>& policies();
// Returns the policy that is on, or null.
const Policy* policy_of(const schedule::Policies& keys);

// Runs each layer with the probability keep(layer), which must not be 0 for all of them. Branches
// are divided by it if is_scaled.
template <class Keep>
arch::StepWork drawn_layers(std::int64_t layers, const Keep& keep, bool is_scaled,
                            const CounterRng& draws) {
  std::vector<double> scales;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const double chance = keep(layer);
    const bool runs = draws.uniform(static_cast<std::uint64_t>(layer)) < chance;
    scales.push_back(!runs ? 0 : is_scaled ? 1 / chance : 1);
  }
  return arch::scaled_layers(scales);
}

}  // namespace stagedtrain::plan
