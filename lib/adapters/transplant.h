// Takes from a larger model what the adapters of a smaller one begin with (learned/transplant.h).
#pragma once

#include <functional>
#include <vector>

#include "arch/adapters.h"
#include "learned/transplant.h"
#include "model/model.h"

namespace stagedtrain::train {

struct Transplant {
  std::vector<std::size_t> layers;  // those of the larger model that were taken, ascending
  std::vector<grow::LowRankFactors> factors;  // of each matrix of the set
};

// set: the adapters of `model`, each of whose matrices the larger model must have in at least the
// same size, and at least as many layers. next returns one sequence after another, as
// Sensitivity::add takes them. A layer's sum is over its matrices of the kinds that are adapted.
// Polls for a stop request. Throws Error(input) if a gradient of the larger model is not finite.
Transplant transplant(model::Model& larger, const arch::ModelConfig& model,
                      const arch::AdapterSet& set, std::int64_t samples,
                      const std::function<at::Tensor()>& next);

}  // namespace stagedtrain::train
