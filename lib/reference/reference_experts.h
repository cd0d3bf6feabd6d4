// Computes a mixture of experts with ATen: a router sends each token to k feed-forwards, whose
// outputs are mixed. Shapes: N tokens, C width, E experts, k experts of a token, M tokens of one
// expert.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

namespace stagedtrain::model {

// Measures how the routers of all layers distribute the tokens of a batch.
class RouterLoads {
 public:
  // probabilities_NE is the softmax over all experts, as a part of the autograd graph. chosen_Nk
  // holds indices of experts.
  void add(const at::Tensor& probabilities_NE, const at::Tensor& chosen_Nk);
  // Returns E * the sum over experts of (choices per token) * (mean probability), over all layers
  // together. This is the loss of Switch Transformers (arXiv 2101.03961) as Hugging Face
  // transformers computes it for Mixtral. It is k if all experts get the same load.
  at::Tensor balancing_loss() const;

 private:
  at::Tensor choices_E_, probabilities_E_;
  std::int64_t tokens_ = 0;  // summed over layers
};

// Sends x_NC through the experts that router_EC chooses: those of the k largest logits, and among
// equal logits the first. With `normalised` gates these are the softmax over the k logits, so they
// sum to 1 (Mixtral, arXiv 2401.04088); else they are the softmax over all logits (OLMoE, arXiv
// 2409.02060). expert(e, x_MC) returns the output [M, C] of expert e, and is called only for
// experts with at least one token. loads may be null. The outputs are added in a fixed order.
at::Tensor mix_experts(const at::Tensor& x_NC, const at::Tensor& router_EC, std::int64_t k,
                       bool normalised,
                       const std::function<at::Tensor(std::int64_t, const at::Tensor&)>& expert,
                       RouterLoads* loads);

}  // namespace stagedtrain::model
