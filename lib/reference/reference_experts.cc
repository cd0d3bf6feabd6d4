// Computes a mixture of experts by sorting tokens by expert.
//
// Each token appears k times, once for each of its experts. A stable argsort of the chosen experts
// puts the N x k copies in the order of the experts, so that each expert reads one contiguous
// matrix. The inverse permutation brings the outputs back to [N, k, C], and a sum over k weighted
// by the gates mixes them:  y[n] = sum over j of gates[n, j] * expert(chosen[n, j], x[n]).
//
// Adding each expert's outputs to its tokens by scattered additions would need no inverse
// permutation, but these additions have no fixed order. Here every sum has a fixed order.
//
// The number of tokens of each expert is read on the host, so a pass waits for the device once per
// layer. That is one reason why passes with experts are not recorded as CUDA graphs.
#include "reference/reference_experts.h"

#include <vector>

#include "reference/linear.h"

namespace stagedtrain::model {
namespace {

at::ScalarType router_type(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? at::kFloat : x.scalar_type();
}

struct Choice {
  at::Tensor gates_Nk;   // in the router's type
  at::Tensor chosen_Nk;  // int64
};

Choice choose(const at::Tensor& logits_NE, std::int64_t k, bool normalised) {
  const auto [sorted, order] = at::sort(logits_NE, /*stable=*/true, 1, /*descending=*/true);
  const at::Tensor gates =
      normalised ? at::softmax(sorted.narrow(1, 0, k), 1) : at::softmax(sorted, 1).narrow(1, 0, k);
  return {gates, order.narrow(1, 0, k).contiguous()};
}

std::vector<std::int64_t> counts_of(const at::Tensor& chosen_Nk, std::int64_t experts) {
  const at::Tensor counts = at::bincount(chosen_Nk.flatten(), {}, experts).to(at::kCPU);
  const std::int64_t* data = counts.const_data_ptr<std::int64_t>();
  return {data, data + experts};
}

}  // namespace

void RouterLoads::add(const at::Tensor& probabilities_NE, const at::Tensor& chosen_Nk) {
  const std::int64_t experts = probabilities_NE.size(1);
  const at::Tensor choices =
      at::bincount(chosen_Nk.flatten(), {}, experts).to(probabilities_NE.scalar_type());
  const at::Tensor probabilities = probabilities_NE.sum(0);
  choices_E_ = tokens_ ? choices_E_ + choices : choices;
  probabilities_E_ = tokens_ ? probabilities_E_ + probabilities : probabilities;
  tokens_ += probabilities_NE.size(0);
}

at::Tensor RouterLoads::balancing_loss() const {
  const double tokens = static_cast<double>(tokens_);
  const double scale = static_cast<double>(choices_E_.size(0)) / (tokens * tokens);
  return (choices_E_ * probabilities_E_).sum() * scale;
}

at::Tensor mix_experts(const at::Tensor& x_NC, const at::Tensor& router_EC, std::int64_t k,
                       bool normalised,
                       const std::function<at::Tensor(std::int64_t, const at::Tensor&)>& expert,
                       RouterLoads* loads) {
  const std::int64_t tokens = x_NC.size(0), width = x_NC.size(1), experts = router_EC.size(0);
  const at::Tensor logits_NE = apply_linear(x_NC, router_EC).to(router_type(x_NC));
  const Choice choice = choose(logits_NE, k, normalised);
  if (loads) loads->add(at::softmax(logits_NE, 1), choice.chosen_Nk);

  const at::Tensor order = at::argsort(choice.chosen_Nk.flatten(), /*stable=*/true);
  const at::Tensor inputs = x_NC.unsqueeze(1).expand({tokens, k, width}).reshape({-1, width});
  const at::Tensor sorted = inputs.index_select(0, order);
  std::vector<at::Tensor> outputs;
  std::int64_t first = 0;
  const std::vector<std::int64_t> counts = counts_of(choice.chosen_Nk, experts);
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t count = counts[static_cast<std::size_t>(e)];
    if (count > 0) outputs.push_back(expert(e, sorted.narrow(0, first, count)));
    first += count;
  }
  const at::Tensor back = at::argsort(order);
  const at::Tensor y_NkC = at::cat(outputs).index_select(0, back).view({tokens, k, width});
  return (y_NkC * choice.gates_Nk.to(y_NkC.scalar_type()).unsqueeze(2)).sum(1);
}

}  // namespace stagedtrain::model
