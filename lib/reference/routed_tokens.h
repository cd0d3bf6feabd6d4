// Sends some of the tokens of a pass through a layer, chosen by the layer's router
// (arch/routed_layers.h). Shapes: B rows, T length, C width, K the most tokens of a row that pass.
#pragma once

#include <ATen/ATen.h>

#include <functional>

#include "arch/routed_layers.h"

namespace stagedtrain::model {

// The loss of the routers of one training pass.
class RouterLabels {
 public:
  // labels_BT says which tokens the router should choose; logits_BT are a part of the autograd
  // graph.
  void add(const at::Tensor& logits_BT, const at::Tensor& labels_BT);
  // Returns the binary cross-entropy, mean over tokens and layers. Requires at least one layer.
  at::Tensor mean_loss() const { return sum_ / static_cast<double>(layers_); }

 private:
  at::Tensor sum_;
  std::int64_t layers_ = 0;
};

// Returns the outputs of a layer for tokens x_BKC at positions_BK, of which only the first ones of
// a row count, whose positions ascend; undefined positions are 0, 1, and so on.
using LayerOnTokens =
    std::function<at::Tensor(const at::Tensor& positions_BK, const at::Tensor& x_BKC)>;

// Returns the output of a routed layer. With labels, chooses as in training and adds this layer's
// labels if the loss of the routers counts; without, chooses as in evaluation. Waits for the
// device, because K depends on the data.
at::Tensor route_tokens(const at::Tensor& x_BTC, const at::Tensor& router_1C,
                        const arch::ModelConfig& config, const LayerOnTokens& layer,
                        RouterLabels* labels);

}  // namespace stagedtrain::model
