// Declares the callback that reports complete gradients during a backward pass, so that they can be
// exchanged while it runs.
#pragma once

#include <cstdint>

namespace stagedtrain::model {

class GradientProgress {
 public:
  virtual ~GradientProgress() = default;
  // Units: 0 for the embeddings, i + 1 for block i, and unit_of_head().
  virtual std::int64_t unit_of_head() const = 0;  // 0 if the head is tied
  // Says that this pass adds nothing more to the gradients of the matrices of a unit and of all
  // units after it. Units from the last to the first; those that do not run may be left out.
  virtual void gradient_is_complete(std::int64_t unit) = 0;
};

}  // namespace stagedtrain::model
