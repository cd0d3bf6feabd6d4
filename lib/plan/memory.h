// What training and growing hold in memory, part by part.
#pragma once

#include "plan/processes.h"

namespace stagedtrain::plan {

// Bytes that each process holds while a model trains: an estimate, which for one process
// `plan --measure` replaces by a measurement.
struct MemoryParts {
  double weights = 0, gradients = 0;  // of bf16 with their 16-bit copies
  double moments = 0;
  double sums = 0;         // gradients kept to add up the passes of a step (StepShare)
  double activations = 0;  // of a micro-batch
  double logits = 0;       // of a micro-batch, with their gradient
  double total() const { return weights + gradients + moments + sums + activations + logits; }
};
MemoryParts training_memory(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                            std::int64_t parameters, const Processes& processes = {});

// What batch.recompute keeps of a micro-batch, in bytes, and what it computes again for a token.
double activation_memory(const schedule::Schedule& schedule, const arch::ModelConfig& model,
                         schedule::Recompute recompute, const Processes& processes = {});
double recomputed_flops_per_token(const arch::ModelConfig& model, schedule::Recompute recompute);

// Bytes of weights and moments of the old and the new model, which stand beside each other.
double growth_memory(const schedule::Schedule& schedule, std::int64_t old_parameters,
                     std::int64_t new_parameters);

// The literature's count of 16-bit activations (Korthikanti et al. 2022, arXiv 2205.05198), for
// comparison with other calculators: 34 width + 5 heads length bytes for each layer and token; the
// second part is the attention's weights, which a fused attention does not keep.
double activations_of_the_literature(const arch::ModelConfig& model, std::int64_t sequences,
                                     bool fused_attention);

}  // namespace stagedtrain::plan
