// How deep are the stages of a run that freezes what earlier stages trained, so that it needs the
// least memory? (STEP, arXiv 2504.04151)
#pragma once

#include <cstdint>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::plan {

// What one layer takes in memory, besides activations. Embeddings take the same in every stage.
struct LayerBytes {
  double trained = 0;  // a layer that is trained: weights, gradients and moments
  double frozen = 0;   // a frozen one, with its adapters
};

// Returns the layers of each of `stages` stages, the last of which has all `layers`, that minimize
// the largest of
//   P_i = trained (N_i - N_(i-1)) + frozen N_(i-1),
// where N_i are the layers of stage i and N_0 = 0. Of equal ones, the deepest first stages. Throws
// Error(usage) unless stages is 2 or 3 and there are as many layers.
std::vector<std::int64_t> depths_of_least_memory(std::int64_t layers, std::int64_t stages,
                                                 const LayerBytes& bytes);
// Returns P_i of the most expensive stage.
double most_bytes(const std::vector<std::int64_t>& depths, const LayerBytes& bytes);

// Returns what this program keeps of a layer of the model in training: of a frozen matrix, the base
// and the gradient, but no moments; adapters of the default rank. The paper counts 16 bytes for
// each trained weight and 2 for each frozen one, which has no gradient there.
LayerBytes bytes_of_layers(const schedule::Schedule& schedule, const arch::ModelConfig& model);

}  // namespace stagedtrain::plan
