// The gradient of one optimizer step, in passes over micro-batches.
#pragma once

#include "data/batch_stream.h"
#include "model/model.h"

namespace stagedtrain::train {

// rows: of a pass. seed and step decide the dropout.
struct GradientPasses {
  std::int64_t rows = 1;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
};

// Returns the mean loss of the batch; the model's gradients, zero before, are its gradient. Polls
// for a stop request between passes and throws Error(interrupted), leaving part of a gradient.
double accumulate_gradients(model::Model& model, const data::Batch& batch,
                            const GradientPasses& passes);

}  // namespace stagedtrain::train
