// The gradient of one optimizer step, in passes over micro-batches.
#pragma once

#include "model/model.h"

namespace stagedtrain::train {

// rows: of a pass. seed and step decide the dropout.
struct GradientPasses {
  std::int64_t rows = 1;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
};

// Returns the mean loss of the batch, float64 on the device, without waiting for it; the model's
// gradients, zero before, become its gradient. Polls for a stop request between passes and throws
// Error(interrupted), leaving part of a gradient.
at::Tensor accumulate_gradients(model::Model& model, const at::Tensor& tokens_BS,
                                const GradientPasses& passes);

}  // namespace stagedtrain::train
