// How much memory do training and growing need, part by part?
#pragma once

#include "grow/recipe.h"
#include "plan/processes.h"

namespace stagedtrain::plan {

// The bytes that each process needs while a model trains. They are an estimate, which `plan
// --measure` replaces by a measurement for one process.
struct MemoryParts {
  double weights = 0, gradients = 0;  // with 16-bit copies for bf16, and the weights' average
  double moments = 0;
  double sums = 0;         // partial sums of gradients over the passes of a step (StepShare)
  double activations = 0;  // for a micro-batch
  double logits = 0;       // for a micro-batch, with their gradient
  double total() const { return weights + gradients + moments + sums + activations + logits; }
};
MemoryParts training_memory(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                            std::int64_t parameters, const Processes& processes = {});

// Returns the bytes of activations that each way of batch.recompute keeps for a micro-batch, and
// the FLOPs for a token that it computes again.
double activation_memory(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                         schedule::Recompute recompute, const Processes& processes = {});
double recomputed_flops_per_token(const arch::ModelConfig& model, schedule::Recompute recompute);

// Returns the bytes of weights, their moving average and moments of the old and the new model,
// which are in memory together.
double growth_memory(const schedule::Schedule& schedule, std::int64_t old_parameters,
                     std::int64_t new_parameters);

// Returns the bytes that predicting layers takes besides both states: the predicted matrices, which
// wait to be taken, and the matrices of the largest kind with their decomposition and examples, in
// double precision (apply/predictions.h). 0 for a growth without predictions.
double prediction_memory(const schedule::Schedule& schedule, const grow::GrowthRecipe& recipe);

// Returns the bytes that are in memory while the maps of a learned growth are fitted (map_fit.h):
// the smaller state, which waits; the larger model, which has no moments yet, on the sequences of a
// step; and the maps with their gradients and moments. 0 for a growth without a fit.
double fit_memory(const schedule::Schedule& schedule, const grow::GrowthRecipe& recipe);

// Returns the bytes of 16-bit activations as the literature counts them (Korthikanti et al., arXiv
// 2205.05198), for comparison with other calculators: 34 width + 5 heads context for each layer and
// token. The second term is the attention's weights, which a fused attention does not keep.
double activations_of_the_literature(const arch::ModelConfig& model, std::int64_t sequences,
                                     bool fused_attention);

}  // namespace stagedtrain::plan
