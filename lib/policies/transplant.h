// What does it take to begin a stage's adapters from a larger model (learned/transplant.h), and
// what does that cost?
#pragma once

#include <string>

#include "arch/param_table.h"
#include "policies/policy.h"

namespace stagedtrain::plan {

// Whether the stage's adapters begin from a checkpoint of a larger model.
bool transplants(const schedule::Policies& keys);
// Returns the length of the sequences on which the larger model is measured: as long as both models
// can read.
std::int64_t sample_length(const arch::ModelConfig& larger, const arch::ModelConfig& model);
// Returns the FLOPs of the forward and backward passes of the larger model over all samples. The
// decompositions of the windows are not counted.
arch::TokenFlops sensitivity_flops(const schedule::AdaptersSpec& keys,
                                   const arch::ModelConfig& larger, const arch::ModelConfig& model);
// Returns why these matrices of the stage's model cannot take windows of the larger one (what was
// found and expected), or "". Requires PolicyStage::larger.
std::string transplant_refusal(const PolicyStage& stage, const arch::ParamTable& table,
                               const std::vector<std::size_t>& matrices);

}  // namespace stagedtrain::plan
