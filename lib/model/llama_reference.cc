// LLaMA by ATen operators and autograd: the reference on every device and in every precision.
// Legend: B rows, T length, C width.
#include "model/models.h"
#include "model/reference_attention.h"
#include "model/reference_model.h"

namespace stagedtrain::model {
namespace {

// SwiGLU: gate and up are one matrix, gate's rows first.
struct FeedForward {
  at::Tensor gate_up, down;
  at::Tensor operator()(const at::Tensor& x, const ReferenceMask& mask) const {
    const auto parts = at::linear(x, gate_up).chunk(2, -1);
    return at::linear(ReferenceMask::over(at::silu(parts[0]) * parts[1], mask.ffn_F), down);
  }
};
// The leaves of one block; packed query, key and value. Without experts there is one feed-forward
// and no router.
struct Block {
  at::Tensor norm_1, norm_2, qkv, output, router;
  std::vector<FeedForward> feed_forwards;
};

class LlamaReference final : public ReferenceModel {
 public:
  LlamaReference(const arch::ModelConfig& config, const ModelOptions& options)
      : ReferenceModel(config, options),
        rotary_(config, params_.weights().options()),
        final_norm_(leaf({"final_norm.weight"})) {
    for (int i = 0; i < config.layers; ++i) blocks_.push_back(make_block(i));
  }

 private:
  FeedForward make_feed_forward(int layer, const std::string& prefix) const {
    return {leaf({arch::layer_name(layer, prefix + "gate.weight"),
                  arch::layer_name(layer, prefix + "up.weight")}),
            leaf(layer, prefix + "down.weight")};
  }

  Block make_block(int i) const {
    Block b{leaf(i, "norm_1.weight"),
            leaf(i, "norm_2.weight"),
            qkv_leaf(i, "weight"),
            leaf(i, "attention.output.weight"),
            {},
            {}};
    if (config_.experts > 0) b.router = leaf(i, "mlp.router.weight");
    for (const std::string& prefix : feed_forward_prefixes(config_))
      b.feed_forwards.push_back(make_feed_forward(i, prefix));
    return b;
  }

  // Statistics in float32 at least, as `transformers` has them.
  at::Tensor normed(const at::Tensor& x, const at::Tensor& weight) const {
    const at::Tensor wide = x.to(master_type(options_.precision));
    const at::Tensor squares = wide.square();
    const at::Tensor mean = mask_.active() ? mask_.mean(squares) : squares.mean(-1, true);
    const at::Tensor y = (wide * (mean + config_.norm_eps).rsqrt()).to(x.scalar_type()) * weight;
    return ReferenceMask::over(y, mask_.residual_C);
  }

  at::Tensor features(const at::Tensor& tokens_BT, const ReferencePass& pass) const override {
    at::Tensor x_BTC =
        ReferenceMask::over(pass.drop(at::embedding(token_, tokens_BT)), mask_.residual_C);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& b = blocks_[i];
      const at::Tensor qkv = at::linear(normed(x_BTC, b.norm_1), b.qkv);
      const at::Tensor heads = ReferenceMask::over(attend(qkv, config_, rotary_), mask_.heads_X);
      x_BTC = x_BTC + added(pass.drop(at::linear(heads, b.output)), i);
      x_BTC = x_BTC + added(pass.drop(feed_forward(normed(x_BTC, b.norm_2), b, pass)), i);
    }
    return normed(x_BTC, final_norm_);
  }

  RotaryTables rotary_;
  at::Tensor final_norm_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_llama_reference(const arch::ModelConfig& config,
                                            const ModelOptions& options) {
  return std::make_unique<LlamaReference>(config, options);
}

}  // namespace stagedtrain::model
