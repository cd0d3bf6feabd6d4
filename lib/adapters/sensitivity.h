// How sensitive is a model's loss to each of its weights (learned/transplant.h)?
#pragma once

#include <vector>

#include "learned/transplant.h"
#include "model/model.h"

namespace stagedtrain::train {

// Adds up |w dL/dw| over sequences, in float64 on the model's device.
class Sensitivity {
 public:
  // tensors: those of the model's table that are measured. The model must outlive this object, hold
  // all of its weights, and have gradients of zero.
  Sensitivity(model::Model& model, std::vector<std::size_t> tensors);

  // Adds those of one sequence, int64 tokens [1, S] on the device: one forward and backward pass.
  // Leaves gradients of zero.
  void add(const at::Tensor& tokens_1S);
  // Returns the sums of a tensor in the model's table that is measured, on the CPU.
  at::Tensor of(std::size_t tensor) const;

 private:
  model::Model& model_;
  std::vector<std::size_t> tensors_;
  std::vector<at::Tensor> sums_;
};

}  // namespace stagedtrain::train
