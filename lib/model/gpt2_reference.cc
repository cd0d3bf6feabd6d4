// GPT-2 by ATen operators and autograd: the reference on every device and in every precision.
// Legend: B rows, T length, C width, H heads, D head_dim, V vocab; _S is T + 1.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>

#include "base/rng.h"
#include "model/models.h"

namespace stagedtrain::model {
namespace {

// The leaves of one block; packed query, key and value.
struct Block {
  at::Tensor norm_1_weight, norm_1_bias, qkv_weight, qkv_bias, output_weight, output_bias;
  at::Tensor norm_2_weight, norm_2_bias, up_weight, up_bias, down_weight, down_bias;
};

class Gpt2Reference final : public Model {
 public:
  Gpt2Reference(const arch::ModelConfig& config, const ModelOptions& options)
      : Model(config, options) {
    const bool mixed = options.precision == Precision::bf16;
    compute_ = mixed ? params_.weights().to(at::kBFloat16) : params_.weights();
    compute_grads_ = mixed ? at::zeros_like(compute_) : params_.grads();
    make_leaves();
  }
  const char* kernels_name() const override { return "reference"; }

  void weights_changed() override {
    if (mixed()) compute_.copy_(params_.weights());
  }

  at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale,
                               std::uint64_t random_seed) override {
    const at::AutoGradMode grad_on(true);
    if (options_.dropout > 0) at::manual_seed(random_seed);
    const std::int64_t length = tokens_BS.size(1) - 1;
    const at::Tensor logits_NV =
        forward(tokens_BS.narrow(1, 0, length), options_.dropout).flatten(0, 1);
    const at::Tensor scores_NV = mixed() ? logits_NV.to(at::kFloat) : logits_NV;
    const at::Tensor loss =
        at::cross_entropy_loss(scores_NV, tokens_BS.narrow(1, 1, length).flatten());
    at::Tensor objective = loss;
    if (options_.z_loss > 0)
      objective = loss + options_.z_loss * at::logsumexp(scores_NV, {1}).square().mean();
    (objective * scale).backward();
    if (mixed()) {
      const at::NoGradGuard no_grad;
      params_.grads().add_(compute_grads_);
      compute_grads_.zero_();
    }
    return loss.detach();
  }

  at::Tensor row_losses(const at::Tensor& tokens_BS) override {
    const at::NoGradGuard no_grad;
    const std::int64_t length = tokens_BS.size(1) - 1;
    at::Tensor logits_BTV = forward(tokens_BS.narrow(1, 0, length), 0);
    if (mixed()) logits_BTV = logits_BTV.to(at::kFloat);
    const at::Tensor losses =
        at::cross_entropy_loss(logits_BTV.flatten(0, 1), tokens_BS.narrow(1, 1, length).flatten(),
                               {}, at::Reduction::None);
    return losses.to(at::kDouble).view({tokens_BS.size(0), length}).mean(1);
  }

  at::Tensor logits(const at::Tensor& tokens_BT) override {
    const at::NoGradGuard no_grad;
    return forward(tokens_BT, 0).to(master_type(options_.precision));
  }

 private:
  bool mixed() const { return options_.precision == Precision::bf16; }

  // A leaf over the compute buffer whose gradient accumulates in place in the gradient buffer.
  at::Tensor leaf(const std::vector<std::string>& names) {
    at::Tensor leaf = params_.packed_view(compute_, names).detach().requires_grad_(true);
    leaf.mutable_grad() = params_.packed_view(compute_grads_, names);
    return leaf;
  }

  void make_leaves() {
    token_ = leaf({"embed.token"});
    position_ = leaf({"embed.position"});
    final_weight_ = leaf({"final_norm.weight"});
    final_bias_ = leaf({"final_norm.bias"});
    head_ = config_.tied ? token_ : leaf({"head.weight"});
    for (int i = 0; i < config_.layers; ++i) {
      const auto at = [&](const char* key) { return leaf({arch::layer_name(i, key)}); };
      const auto packed = [&](const std::string& kind) {
        return leaf({arch::layer_name(i, "attention.query." + kind),
                     arch::layer_name(i, "attention.key." + kind),
                     arch::layer_name(i, "attention.value." + kind)});
      };
      blocks_.push_back({at("norm_1.weight"), at("norm_1.bias"), packed("weight"), packed("bias"),
                         at("attention.output.weight"), at("attention.output.bias"),
                         at("norm_2.weight"), at("norm_2.bias"), at("mlp.up.weight"),
                         at("mlp.up.bias"), at("mlp.down.weight"), at("mlp.down.bias")});
    }
  }

  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const {
    return at::layer_norm(x, {config_.width}, weight, bias, config_.norm_eps);
  }

  at::Tensor attend(const at::Tensor& qkv_BTX) const {
    const std::int64_t rows = qkv_BTX.size(0), length = qkv_BTX.size(1);
    const auto parts = qkv_BTX.view({rows, length, 3 * config_.heads, config_.head_dim})
                           .transpose(1, 2)
                           .chunk(3, 1);
    const at::Tensor y_BHTD =
        at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0, true);
    return y_BHTD.transpose(1, 2).reshape({rows, length, config_.heads * config_.head_dim});
  }

  at::Tensor forward(const at::Tensor& tokens_BT, double dropout) const {
    const auto drop = [&](const at::Tensor& x) {
      return dropout > 0 ? at::dropout(x, dropout, true) : x;
    };
    at::Tensor x_BTC =
        drop(at::embedding(token_, tokens_BT) + position_.narrow(0, 0, tokens_BT.size(1)));
    for (const Block& b : blocks_) {
      const at::Tensor qkv =
          at::linear(norm(x_BTC, b.norm_1_weight, b.norm_1_bias), b.qkv_weight, b.qkv_bias);
      x_BTC = x_BTC + drop(at::linear(attend(qkv), b.output_weight, b.output_bias));
      const at::Tensor up =
          at::linear(norm(x_BTC, b.norm_2_weight, b.norm_2_bias), b.up_weight, b.up_bias);
      x_BTC = x_BTC + drop(at::linear(at::gelu(up, "tanh"), b.down_weight, b.down_bias));
    }
    return at::linear(norm(x_BTC, final_weight_, final_bias_), head_);
  }

  at::Tensor compute_, compute_grads_;
  at::Tensor token_, position_, final_weight_, final_bias_, head_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2_reference(const arch::ModelConfig& config,
                                           const ModelOptions& options) {
  return std::make_unique<Gpt2Reference>(config, options);
}

}  // namespace stagedtrain::model
