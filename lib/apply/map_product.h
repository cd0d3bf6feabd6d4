// How a tensor is computed from the maps of a learned growth, and how the loss of the larger model
// depends on these maps.
//
// With G = dL/dW' of the running model, the chain rule gives for W' = A M B^T, M = sum_j w_j W_j
//   dL/dA = G B M^T = G (M B^T)^T     dL/dB = (A^T G)^T M     dL/dw_j = <A^T G B, W_j>
// and for a map D whose uses are A = D or D diag(read), tensor by tensor,
//   dL/dD = sum of dL/dA or dL/dA diag(read)
// where an entry that stands for a block of unit x unit gets the sum over its diagonal. So the
// running model computes its gradient as in training, with any kernels, and knows nothing of maps.
//
// Invariant: every sum has a fixed order, so the bits do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "grow/recipe.h"

namespace stagedtrain::grow {

// Returns the values of a source tensor by its index in the smaller model's table. They stay valid
// until the next call.
template <class T>
using SourceValues = std::function<std::span<const T>(std::size_t tensor)>;

// A product with the sizes of its tensors and the maps of its step, which must outlive it.
struct SizedProduct {
  const MapProduct& product;
  const std::vector<DenseMap>& maps;
  Corner from, to;  // rows and columns of a source tensor and of the target
};

// Computes the target tensor. T is float or double.
template <class T>
void fill_product(const SizedProduct& made, const SourceValues<T>& source, std::span<T> out);

// The derivatives of the loss with respect to the entries of every map of a step.
using MapGradients = std::vector<std::vector<double>>;
MapGradients zero_gradients(const std::vector<DenseMap>& maps);

// Adds what follows for the maps of the product from `gradient`, the gradient of its target tensor.
template <class T>
void pull_back(const SizedProduct& made, const SourceValues<T>& source, std::span<const T> gradient,
               MapGradients& into);

// Adam for the entries of maps that a fit trains: beta 0.9 and 0.999, eps 1e-8, no decay.
class MapAdam {
 public:
  explicit MapAdam(const std::vector<DenseMap>& maps)
      : exp_avg_(zero_gradients(maps)), exp_avg_sq_(zero_gradients(maps)) {}
  void step(std::vector<DenseMap>& maps, const MapGradients& gradients, double lr);

 private:
  MapGradients exp_avg_, exp_avg_sq_;
  std::int64_t steps_ = 0;
};

}  // namespace stagedtrain::grow
