// Experts by ATen operators: a router sends each token to a few feed-forwards and mixes what they
// give. Legend: N tokens, C width, E experts, k experts of a token.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

namespace stagedtrain::model {

// How the routers of all layers shared out the tokens of a batch.
class RouterLoads {
 public:
  // probabilities_NE: softmax over all experts, in the graph. chosen_Nk: numbers of experts.
  void add(const at::Tensor& probabilities_NE, const at::Tensor& chosen_Nk);
  // E * sum over experts of (choices per token) * (mean probability), over all layers together:
  // Switch Transformer's loss (arXiv 2101.03961) as `transformers` computes it for Mixtral. k where
  // all experts get as much.
  at::Tensor balancing_loss() const;

 private:
  at::Tensor choices_E_, probabilities_E_;
  std::int64_t tokens_ = 0;  // of all layers
};

// Legend as above: x_NC through the experts that router_EC chooses. The k largest of the router's
// logits are taken, of equal ones the first; softmax over these k gives the gates, which so sum
// to 1 (Mixtral, arXiv 2401.04088). expert(e, x_MC) is what expert e gives, [M, C]; it is called
// only for experts that have tokens. loads may be null. The result does not depend on threads.
at::Tensor mix_experts(const at::Tensor& x_NC, const at::Tensor& router_EC, std::int64_t k,
                       const std::function<at::Tensor(std::int64_t, const at::Tensor&)>& expert,
                       RouterLoads* loads);

}  // namespace stagedtrain::model
