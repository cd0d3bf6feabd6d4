// How do the weights of a learned growth, and the loss of the larger model, depend on its maps?
//
// With G = dL/dW' of the running model, the chain rule gives for W' = A M B^T, M = sum_j w_j W_j
//   dL/dA = G B M^T = G (M B^T)^T     dL/dB = (A^T G)^T M     dL/dw_j = <A^T G B, W_j>
// and where w_j is an entry of a map of layers times one of a map of kinds, each gets dL/dw_j times
// the other;
// and for a map D whose uses are A = D or D diag(read), tensor by tensor,
//   dL/dD = sum of dL/dA or dL/dA diag(read)
// where an entry that stands for a block of unit x unit gets the sum over its diagonal. So the
// running model computes its gradient as in training, with any kernels, and knows nothing of maps.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "grow/dense_map.h"

namespace stagedtrain::train {

// Returns a source tensor by its index in the smaller model's table, with one or two axes, on the
// device and in the type of the larger model's weights.
using SourceTensor = std::function<at::Tensor(std::size_t)>;

// Returns a product (o' x i', or o' x 1), as apply/map_product.h adds it.
at::Tensor mapped(const grow::MapProduct& product, const std::vector<grow::DenseMap>& maps,
                  const SourceTensor& source);

// Sets a tensor of the larger model to the sum of its products.
void make_weights(const std::vector<grow::MapProduct>& products,
                  const std::vector<grow::DenseMap>& maps, const SourceTensor& source,
                  const at::Tensor& target);

// The derivatives of the loss with respect to the entries of every map.
using MapGradients = std::vector<std::vector<double>>;
MapGradients zero_gradients(const std::vector<grow::DenseMap>& maps);

// Adds what follows for the maps of the product from the gradient of its target tensor. Rows that a
// fit does not train get nothing.
void pull_back(const grow::MapProduct& product, const std::vector<grow::DenseMap>& maps,
               const SourceTensor& source, const at::Tensor& gradient, MapGradients& into);

// Adam for the entries of maps that a fit trains: beta 0.9 and 0.999, eps 1e-8, no decay.
class MapAdam {
 public:
  explicit MapAdam(const std::vector<grow::DenseMap>& maps)
      : exp_avg_(zero_gradients(maps)), exp_avg_sq_(zero_gradients(maps)) {}
  void step(std::vector<grow::DenseMap>& maps, const MapGradients& gradients, double lr);

 private:
  MapGradients exp_avg_, exp_avg_sq_;
  std::int64_t steps_ = 0;
};

}  // namespace stagedtrain::train
