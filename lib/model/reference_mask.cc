// Computes the mask's factors from the sizes of the two models.
#include "model/reference_mask.h"

namespace stagedtrain::model {
namespace {

// Returns 1 for indices below `old`, and `visible` from there on.
at::Tensor step_at(std::int64_t old, std::int64_t size, double visible) {
  at::Tensor factors = at::ones({size}, at::kDouble);
  factors.narrow(0, old, size - old).fill_(visible);
  return factors;
}

// New heads come after the old ones, and new queries of a group after its old ones (head_growth.h).
at::Tensor head_factors(const arch::ModelConfig& config, const ModelMask& mask) {
  const arch::ModelConfig& old = mask.old;
  const std::int64_t group = config.heads / config.kv_heads, old_group = old.heads / old.kv_heads;
  at::Tensor factors = at::full({config.heads, config.value_dim}, mask.visible, at::kDouble);
  for (std::int64_t h = 0; h < config.heads; ++h)
    if (h / group < old.kv_heads && h % group < old_group)
      factors[h].narrow(0, 0, old.value_dim).fill_(1);
  return factors.flatten();
}

}  // namespace

ReferenceMask::ReferenceMask(const arch::ModelConfig& config, const ModelMask& mask,
                             at::TensorOptions like)
    : residual_C(step_at(mask.old.width, config.width, mask.visible).to(like)),
      heads_X(head_factors(config, mask).to(like)),
      ffn_F(step_at(mask.old.ffn, config.ffn, mask.visible).to(like)),
      old_layers(mask.old.layers),
      visible(mask.visible) {}

at::Tensor ReferenceMask::mean(const at::Tensor& x_BTC) const {
  const at::Tensor weights = residual_C.to(x_BTC.scalar_type());
  return (x_BTC * weights).sum(-1, true) / weights.sum();
}

}  // namespace stagedtrain::model
