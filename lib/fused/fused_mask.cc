// Makes masked copies of weights, and takes their gradients back.
#include "fused/fused_mask.h"

#include <numeric>

#include "arch/architectures.h"
#include "model/reference_mask.h"
#include "model/row_work.h"

namespace stagedtrain::model {
namespace {

std::vector<float> floats_of(const at::Tensor& factors) {
  const float* data = factors.const_data_ptr<float>();
  return {data, data + factors.numel()};
}

// Calls body(element, factor) for all elements of a matrix with factors of rows and columns.
template <class Body>
void for_elements(const std::vector<float>& rows, const std::vector<float>& columns, float scale,
                  const Body& body) {
  std::size_t at = 0;
  for (const float row : rows)
    for (const float column : columns) body(at++, scale * row * column);
}

}  // namespace

FusedMask::FusedMask(const arch::ModelConfig& config, const ModelMask& mask)
    : of_tokens_(static_cast<std::size_t>(config.vocab), 1),
      of_positions_(static_cast<std::size_t>(config.context), 1),
      of_width_(static_cast<std::size_t>(config.width), 1),
      old_layers_(mask.old.layers),
      visible_(static_cast<float>(mask.visible)),
      norms_after_(arch::block_style(config).norms_after) {
  const ReferenceMask factors(config, mask, at::TensorOptions(at::kFloat));
  residual_ = floats_of(factors.residual_C);
  heads_ = floats_of(factors.heads_X);
  ffn_ = floats_of(factors.ffn_F);
  for (const float factor : residual_) residual_squared_.push_back(factor * factor);
  total_ = std::accumulate(residual_.begin(), residual_.end(), 0.0f);
}

// The branches of a new layer have the factor `visible` too. Where norms follow the branches, the
// reference masks the output of the norm and then what is added to the residual stream, which is
// the same once more.
MaskedTensors::MaskedTensors(const FusedMask& mask, FusedTensors& weights, FusedTensors& grads) {
  const std::vector<float>&residual = mask.residual_, &vector = mask.of_vector_;
  const bool after = mask.norms_after_;
  fold(weights.token, grads.token, mask.of_tokens_, residual);
  fold(weights.position, grads.position, mask.of_positions_, residual);
  fold(weights.final_weight, grads.final_weight, vector, residual);
  fold(weights.final_bias, grads.final_bias, vector, residual);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    FusedLayer &w = weights.layers[i], &g = grads.layers[i];
    const float layer = w.index >= mask.old_layers_ ? mask.visible_ : 1;
    const float branch = after ? 1 : layer;
    const auto& of_output = after ? mask.of_width_ : residual;
    const auto& of_norm = after ? mask.residual_squared_ : residual;
    for (auto [weight, gradient] :
         {std::pair(&w.norm_1_weight, &g.norm_1_weight), std::pair(&w.norm_1_bias, &g.norm_1_bias),
          std::pair(&w.norm_2_weight, &g.norm_2_weight), std::pair(&w.norm_2_bias, &g.norm_2_bias)})
      fold(*weight, *gradient, vector, of_norm, after ? layer : 1);
    fold(w.output_weight, g.output_weight, of_output, mask.heads_, branch);
    fold(w.output_bias, g.output_bias, vector, of_output, branch);
    const auto feed_forward = [&](FeedForwardTensors& mlp, FeedForwardTensors& dmlp) {
      fold(mlp.down_weight, dmlp.down_weight, of_output, mask.ffn_, branch);
      fold(mlp.down_bias, dmlp.down_bias, vector, of_output, branch);
    };
    feed_forward(w.mlp, g.mlp);
    for (std::size_t e = 0; e < w.experts.size(); ++e) feed_forward(w.experts[e], g.experts[e]);
  }
}

void MaskedTensors::add_gradients() const {
  for_units(static_cast<std::int64_t>(copies_.size()), [&](std::int64_t i, std::int64_t) {
    const Copy& copy = copies_[static_cast<std::size_t>(i)];
    if (copy.to == nullptr) return;
    for_elements(copy.rows, copy.columns, copy.scale,
                 [&](std::size_t at, float factor) { copy.to[at] += factor * copy.gradient[at]; });
  });
}

void MaskedTensors::fold(float*& weight, float*& gradient, const std::vector<float>& rows,
                         const std::vector<float>& columns, float scale) {
  if (weight == nullptr) return;
  const std::size_t size = rows.size() * columns.size();
  Copy& copy =
      copies_.emplace_back(Copy{{weight, weight + size}, {}, gradient, rows, columns, scale});
  for_elements(rows, columns, scale, [&](std::size_t at, float f) { copy.weight[at] *= f; });
  weight = copy.weight.data();
  if (gradient == nullptr) return;
  copy.gradient.assign(size, 0);
  gradient = copy.gradient.data();
}

}  // namespace stagedtrain::model
