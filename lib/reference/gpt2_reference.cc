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
  // Runs the first `units` hidden units.
  at::Tensor operator()(const at::Tensor& x, std::int64_t units, const ReferenceMask& mask,
                        const BlockOps& ops) const {
    const at::Tensor up = first_of(up_weight, 0, units), bias = first_of(up_bias, 0, units);
    const at::Tensor hidden =
        exact_gelu ? at::gelu(apply_linear(x, up, bias)) : ops.linear_gelu(x, up, bias);
    return apply_linear(ReferenceMask::over(hidden, first_of(mask.ffn_F, 0, units)),
                        first_of(down_weight, 1, units), down_bias);
  }
};
// The leaves of one block, with query, key and value packed. Without experts there is one
// feed-forward and no router.
struct BlockLeaves {
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

  BlockLeaves make_block(int i) const {
    BlockLeaves b{{leaf(i, "norm_1.weight"), leaf(i, "norm_1.bias")},
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

  at::Tensor attention(const at::Tensor& qkv, const arch::LayerWork& one,
                       const at::Tensor& positions_BT, const ReferencePass& pass) const {
    return pass.cache ? attend_on(qkv, config_, rotary_, {}, cached(one), *pass.cache)
                      : attend(qkv, config_, rotary_, {}, positions_BT);
  }

  Stream run_block(const arch::LayerWork& one, const at::Tensor& positions_BT, const Stream& in,
                   const ReferencePass& pass) const {
    const BlockLeaves& b = blocks_[static_cast<std::size_t>(one.layer)];
    const Summed first = add_norm(in.x, in.branch, b.norm_1);
    const at::Tensor qkv = apply_linear(first.normed, b.qkv_weight, b.qkv_bias);
    const at::Tensor heads =
        ReferenceMask::over(attention(qkv, one, positions_BT, pass), mask_.heads_X);
    const at::Tensor attended =
        added(pass.attended(apply_linear(heads, b.output_weight, b.output_bias), one), one);
    const auto fed_forward = [&](const at::Tensor& x) {
      return added(pass.fed_forward(feed_forward(x, b, one.units(config_.ffn), pass), one), one);
    };
    if (style_.parallel) {
      const at::Tensor x = add_norm(first.sum, {}, b.norm_2).normed;
      return {first.sum, attended + fed_forward(x)};
    }
    const Summed second = add_norm(first.sum, attended, b.norm_2);
    return {second.sum, fed_forward(second.normed)};
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
    const Stream stream = through_all(
        pass,
        [this, pass](const arch::LayerWork& one, const at::Tensor& positions_BT, const Stream& in) {
          return run_block(one, positions_BT, in, pass);
        },
        {x_BTC, {}});
    return add_norm(stream.x, stream.branch, final_norm_).normed;
  }

  const arch::BlockStyle& style_;
  at::Tensor position_;
  RotaryTables rotary_;
  Norm final_norm_;
  std::vector<BlockLeaves> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2_reference(const arch::ModelConfig& config,
                                           const ModelOptions& options) {
  return std::make_unique<Gpt2Reference>(config, options);
}

}  // namespace stagedtrain::model
