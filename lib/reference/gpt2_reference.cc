// Implements GPT-2 and GPT-NeoX with ATen and autograd, on every device and in every precision.
// Shapes: B rows, T length, C width.
#include "arch/architectures.h"
#include "model/models.h"
#include "reference/linear.h"
#include "reference/reference_attention.h"
#include "reference/reference_model.h"

namespace stagedtrain::model {
namespace {

struct Norm {
  at::Tensor weight, bias;
};
struct FeedForward {
  at::Tensor up_weight, up_bias, down_weight, down_bias;
  bool exact_gelu = false;
  at::Tensor operator()(const at::Tensor& x, const ReferenceMask& mask, const BlockOps& ops) const {
    const at::Tensor hidden = exact_gelu ? at::gelu(apply_linear(x, up_weight, up_bias))
                                         : ops.linear_gelu(x, up_weight, up_bias);
    return apply_linear(ReferenceMask::over(hidden, mask.ffn_F), down_weight, down_bias);
  }
};
// The leaves of one block, with query, key and value packed. Without experts there is one
// feed-forward and no router.
struct Block {
  Norm norm_1, norm_2;
  at::Tensor qkv_weight, qkv_bias, output_weight, output_bias, router;
  std::vector<FeedForward> feed_forwards;
};

class Gpt2Reference final : public ReferenceModel {
 public:
  Gpt2Reference(const arch::ModelConfig& config, const ModelOptions& options)
      : ReferenceModel(config, options),
        style_(arch::block_style(config)),
        position_(style_.rotary ? at::Tensor() : leaf({"embed.position"})),
        rotary_(style_.rotary ? RotaryTables(config, params_.weights().options()) : RotaryTables()),
        final_norm_{leaf({"final_norm.weight"}), leaf({"final_norm.bias"})} {
    for (int i = 0; i < config.layers; ++i) blocks_.push_back(make_block(i));
  }

 private:
  FeedForward make_feed_forward(int layer, const std::string& prefix) const {
    return {leaf(layer, prefix + "up.weight"), leaf(layer, prefix + "up.bias"),
            leaf(layer, prefix + "down.weight"), leaf(layer, prefix + "down.bias"),
            style_.exact_gelu};
  }

  Block make_block(int i) const {
    Block b{{leaf(i, "norm_1.weight"), leaf(i, "norm_1.bias")},
            {leaf(i, "norm_2.weight"), leaf(i, "norm_2.bias")},
            qkv_leaf(i, "weight"),
            qkv_leaf(i, "bias"),
            leaf(i, "attention.output.weight"),
            leaf(i, "attention.output.bias"),
            {},
            {}};
    if (config_.experts > 0) b.router = leaf(i, "mlp.router.weight");
    for (const std::string& prefix : feed_forward_prefixes(config_))
      b.feed_forwards.push_back(make_feed_forward(i, prefix));
    return b;
  }

  // Adds a branch to the residual stream, and computes the norm of the sum.
  Summed add_norm(const at::Tensor& x, const at::Tensor& branch, const Norm& norm) const {
    if (!mask_.active()) return ops_.add_norm(x, branch, norm.weight, norm.bias, config_.norm_eps);
    const at::Tensor sum = branch.defined() ? x + branch : x;
    const at::Tensor wide = sum.to(master_type(options_.precision));
    const at::Tensor centered = wide - mask_.mean(wide);
    const at::Tensor deviation = (mask_.mean(centered.square()) + config_.norm_eps).sqrt();
    const at::Tensor y = (centered / deviation).to(sum.scalar_type()) * norm.weight + norm.bias;
    return {sum, ReferenceMask::over(y, mask_.residual_C)};
  }

  at::Tensor attention(const at::Tensor& qkv, std::size_t i, const ReferencePass& pass) const {
    return pass.cache ? attend_on(qkv, config_, rotary_, {}, i, *pass.cache)
                      : attend(qkv, config_, rotary_);
  }

  Stream run_block(std::size_t i, const Stream& in, const ReferencePass& pass) const {
    const Block& b = blocks_[i];
    const Summed first = add_norm(in.x, in.branch, b.norm_1);
    const at::Tensor qkv = apply_linear(first.normed, b.qkv_weight, b.qkv_bias);
    const at::Tensor heads = ReferenceMask::over(attention(qkv, i, pass), mask_.heads_X);
    const at::Tensor attended =
        added(pass.attended(apply_linear(heads, b.output_weight, b.output_bias), i), i, pass);
    if (style_.parallel) {
      const at::Tensor x = add_norm(first.sum, {}, b.norm_2).normed;
      return {first.sum, attended + added(pass.fed_forward(feed_forward(x, b, pass), i), i, pass)};
    }
    const Summed second = add_norm(first.sum, attended, b.norm_2);
    return {second.sum, added(pass.fed_forward(feed_forward(second.normed, b, pass), i), i, pass)};
  }

  at::Tensor embedded(const at::Tensor& tokens_BT, const ReferencePass& pass) const {
    const HeldUnit embeddings = held_embeddings();
    const at::Tensor tokens_BTC = at::embedding(token_, tokens_BT);
    if (style_.rotary) return tokens_BTC;
    return tokens_BTC + position_.narrow(0, pass.first_place(), tokens_BT.size(1));
  }

  at::Tensor features(const at::Tensor& tokens_BT, const ReferencePass& pass) const override {
    const at::Tensor x_BTC =
        ReferenceMask::over(pass.embedded(embedded(tokens_BT, pass)), mask_.residual_C);
    Stream stream{x_BTC, {}};
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      if (pass.runs(i))
        stream = through(
            i, pass, [this, i, pass](const Stream& in) { return run_block(i, in, pass); }, stream);
    return add_norm(stream.x, stream.branch, final_norm_).normed;
  }

  const arch::BlockStyle& style_;
  at::Tensor position_;
  RotaryTables rotary_;
  Norm final_norm_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2_reference(const arch::ModelConfig& config,
                                           const ModelOptions& options) {
  return std::make_unique<Gpt2Reference>(config, options);
}

}  // namespace stagedtrain::model
