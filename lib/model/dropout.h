// Says where a training pass drops, and with which masks. The reference on a CPU and the fused
// kernels draw the same masks, so their results are comparable.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "kernels/dropout.h"

namespace stagedtrain::model {

// The masks of one pass: a pure function of its seed, the place in the model, and the row and
// column of the element.
struct PassDropout {
  double probability = 0;
  std::uint64_t seed = 0;

  bool active() const { return probability > 0; }
  kernels::Dropout of_embeddings() const { return at(0); }
  // Of what the branches of a layer add to the residual stream, before the scale of StepWork.
  kernels::Dropout of_attention(std::int64_t layer) const { return at(2 * layer + 1); }
  kernels::Dropout of_feed_forward(std::int64_t layer) const { return at(2 * layer + 2); }

 private:
  kernels::Dropout at(std::int64_t place) const {
    const CounterRng keys(seed, hash_name("dropout masks"));
    return {keys.bits(static_cast<std::uint64_t>(place)), static_cast<float>(probability),
            static_cast<float>(1 / (1 - probability))};
  }
};

}  // namespace stagedtrain::model
