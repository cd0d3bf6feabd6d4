// Chooses tokens, gathers them, and puts the layer's outputs back in their places.
//
// Rows have different numbers of tokens that pass, but tensors are rectangular. So each row has its
// chosen tokens first, in the order of their positions, and is filled up with others to the length
// of the longest. Attention is causal in this order, so a chosen token attends to the chosen ones
// before it and never to a filling one, whose outputs are left out.
#include "reference/routed_tokens.h"

#include <ATen/core/grad_mode.h>

#include "reference/linear.h"

namespace stagedtrain::model {
namespace {

at::Tensor wide(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

// Returns which of the tokens have the `count` largest values, or the smallest. Among equal ones
// the first are taken.
at::Tensor extremes(const at::Tensor& values_BT, std::int64_t count, bool largest) {
  const at::Tensor flat_N = values_BT.detach().flatten();
  const at::Tensor order_N = at::argsort(flat_N, /*stable=*/true, 0, /*descending=*/largest);
  return at::zeros(flat_N.sizes(), flat_N.options().dtype(at::kBool))
      .index_fill(0, order_N.narrow(0, 0, count), true)
      .view(values_BT.sizes());
}

// Returns which tokens the layer changes most: those with the lowest cosine of input and output.
at::Tensor most_changed(const at::Tensor& x_BTC, const LayerOnTokens& layer, std::int64_t count) {
  const at::NoGradGuard no_grad;
  const at::Tensor y_BTC = layer({}, x_BTC);
  return extremes(at::cosine_similarity(wide(x_BTC), wide(y_BTC), 2), count, false);
}

}  // namespace

void RouterLabels::add(const at::Tensor& logits_BT, const at::Tensor& labels_BT) {
  const at::Tensor loss =
      at::binary_cross_entropy_with_logits(logits_BT, labels_BT.to(logits_BT.scalar_type()));
  sum_ = layers_ ? sum_ + loss : loss;
  ++layers_;
}

at::Tensor route_tokens(const at::Tensor& x_BTC, const at::Tensor& router_1C,
                        const arch::ModelConfig& config, const LayerOnTokens& layer,
                        RouterLabels* labels) {
  const at::Tensor logits_BT = wide(apply_linear(x_BTC, router_1C)).squeeze(2);
  const std::int64_t count = arch::chosen_tokens(config, logits_BT.numel());
  const at::Tensor chosen_BT = labels ? extremes(logits_BT, count, true) : logits_BT >= 0;
  if (labels && config.routed_loss > 0)
    labels->add(logits_BT,
                arch::compares_tokens(config) ? most_changed(x_BTC, layer, count) : chosen_BT);
  const auto most = chosen_BT.sum(1).max().item<std::int64_t>();
  if (most == 0) return x_BTC;
  const at::Tensor order_BT = at::argsort(chosen_BT.logical_not().to(at::kInt), /*stable=*/true, 1);
  const at::Tensor positions_BK = order_BT.narrow(1, 0, most);
  const at::Tensor index_BKC = positions_BK.unsqueeze(2).expand({-1, -1, x_BTC.size(2)});
  const at::Tensor x_BKC = x_BTC.gather(1, index_BKC);
  // The layer gets a view of its own, so that autograd first adds up the gradients of the layer's
  // uses of x_BKC, and then those of the uses below. Where the layer is recomputed
  // (Recompute::blocks) the order is the same, so both give the same bits.
  at::Tensor y_BKC = layer(positions_BK, x_BKC.view(x_BKC.sizes()));
  // With the factor 1, y is the layer's output to the bit.
  if (config.routed_base != 2 || config.routed_gain != 0) {
    const at::Tensor scores_BK = logits_BT.gather(1, positions_BK).sigmoid();
    const at::Tensor factors_BK = (scores_BK - 0.5) * config.routed_gain + config.routed_base / 2;
    y_BKC = x_BKC + (y_BKC - x_BKC) * factors_BK.unsqueeze(2).to(x_BTC.scalar_type());
  }
  const at::Tensor passes_BK1 = chosen_BT.gather(1, positions_BK).unsqueeze(2);
  return x_BTC.scatter(1, index_BKC, at::where(passes_BK1, y_BKC, x_BKC));
}

}  // namespace stagedtrain::model
