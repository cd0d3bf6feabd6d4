// The adapters of a running model (arch/adapters.h): their values and moments, what the model's
// weights are with them, and their gradients.
//
// The model's buffer holds the merged matrices W = W_0 + scale B A, and the gradients G = dL/dW
// that its backward pass makes. pull_back() turns G into the gradients of A and B, an optimizer
// moves these, and merge() makes W again. W_0 keeps its bits. The chain rule, and why the model
// knows nothing of adapters: policies/adapters.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "arch/adapters.h"
#include "learned/transplant.h"
#include "model/param_buffer.h"

namespace stagedtrain::train {

class Adapters {
 public:
  // Begins with the buffer's weights as W_0, A drawn by seed, and B zero, so that W stays W_0. The
  // buffer must have all matrices of the set, and not be sharded.
  Adapters(const arch::AdapterSet& set, model::ParamBuffer& params, std::uint64_t seed);

  const arch::AdapterSet& set() const { return set_; }
  // A and B of each matrix, with gradients and moments.
  model::ParamBuffer& values() { return values_; }
  // The adapted tensors, as indices in the model's table.
  const std::vector<std::size_t>& matrices() const { return matrices_; }

  // Sets A and B of a matrix, and W_0 to what the present weights W are without scale B A. So the
  // model goes on as it was: to the bit until merge() makes W again, and to rounding from then on.
  void begin_with(const grow::LowRankFactors& factors, std::size_t matrix,
                  model::ParamBuffer& params);

  // Sets the gradients of A and B to those that follow from the model's.
  void pull_back(model::ParamBuffer& params);
  // Makes the merged matrices, and their bfloat16 copy.
  void merge(model::ParamBuffer& params);

  // One tensor of arch::stored_adapters in host memory: the buffer's own on a CPU, else in `copy`.
  // The bytes are valid until that memory changes.
  std::size_t num_stored() const { return arch::kNumAdapterParts * matrices_.size(); }
  std::span<const std::byte> get(std::size_t index, at::Tensor& copy);
  // bytes must have the type of the weights.
  void set_stored(std::size_t index, std::span<const std::byte> bytes);

 private:
  at::Tensor part(std::size_t index);
  // Sets a matrix `to` to `from` + factor B A, with A and B of matrix i.
  void add_product(std::size_t i, double factor, const at::Tensor& from, const at::Tensor& to);

  arch::AdapterSet set_;
  std::vector<std::size_t> matrices_;
  std::vector<at::Tensor> bases_;  // W_0 of each matrix
  model::ParamBuffer values_;
};

}  // namespace stagedtrain::train
