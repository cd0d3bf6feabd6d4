// Implements LLaMA, Qwen 2 and 3 and OLMo 2 with ATen and autograd, on every device and in every
// precision. Shapes: B rows, T length, C width.
#include "arch/architectures.h"
#include "model/models.h"
#include "reference/linear.h"
#include "reference/reference_attention.h"
#include "reference/reference_model.h"

namespace stagedtrain::model {
namespace {

// A SwiGLU feed-forward. Gate and up are one matrix, with gate's rows first.
struct FeedForward {
  at::Tensor gate_up, down;
  // Runs the first `units` hidden units.
  at::Tensor operator()(const at::Tensor& x, std::int64_t units, const ReferenceMask& mask,
                        const BlockOps& ops) const {
    const std::int64_t all = down.size(1);
    const at::Tensor weight =
        units == all ? gate_up
                     : at::cat({gate_up.narrow(0, 0, units), gate_up.narrow(0, all, units)});
    const at::Tensor hidden = ops.swiglu(apply_linear(x, weight));
    return apply_linear(ReferenceMask::over(hidden, first_of(mask.ffn_F, 0, units)),
                        first_of(down, 1, units));
  }
};
// The leaves of one block, with query, key and value packed. Without experts there is one
// feed-forward and no router. qkv_bias and head_norms are undefined if the architecture has none.
struct BlockLeaves {
  at::Tensor norm_1, norm_2, qkv, qkv_bias, output, router;
  HeadNormGains head_norms;
  std::vector<FeedForward> feed_forwards;
};

class LlamaReference final : public ReferenceModel {
 public:
  LlamaReference(const arch::ModelConfig& config, const ModelOptions& options)
      : ReferenceModel(config, options),
        style_(arch::block_style(config)),
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

  BlockLeaves make_block(int i) const {
    BlockLeaves b;
    b.norm_1 = leaf(i, "norm_1.weight");
    b.norm_2 = leaf(i, "norm_2.weight");
    b.qkv = qkv_leaf(i, "weight");
    b.output = leaf(i, "attention.output.weight");
    if (style_.qkv_biases) b.qkv_bias = qkv_leaf(i, "bias");
    if (style_.head_norms != arch::HeadNorms::none)
      b.head_norms = {leaf(i, "attention.query_norm.weight"), leaf(i, "attention.key_norm.weight")};
    if (config_.experts > 0) b.router = leaf(i, "mlp.router.weight");
    for (const std::string& prefix : feed_forward_prefixes(config_))
      b.feed_forwards.push_back(make_feed_forward(i, prefix));
    return b;
  }

  // Adds a branch to the residual stream, and computes the norm of the sum.
  Summed add_norm(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& weight) const {
    if (!mask_.active()) return ops_.add_norm(x, branch, weight, {}, config_.norm_eps);
    const at::Tensor sum = branch.defined() ? x + branch : x;
    const at::Tensor wide = sum.to(master_type(options_.precision));
    const at::Tensor scale = (mask_.mean(wide.square()) + config_.norm_eps).rsqrt();
    const at::Tensor y = (wide * scale).to(sum.scalar_type()) * weight;
    return {sum, ReferenceMask::over(y, mask_.residual_C)};
  }

  at::Tensor attention(const at::Tensor& x_BTC, const arch::LayerWork& one,
                       const at::Tensor& positions_BT, const ReferencePass& pass) const {
    const BlockLeaves& b = blocks_[static_cast<std::size_t>(one.layer)];
    const at::Tensor qkv = apply_linear(x_BTC, b.qkv, b.qkv_bias);
    const at::Tensor heads =
        pass.cache ? attend_on(qkv, config_, rotary_, b.head_norms, cached(one), *pass.cache)
                   : attend(qkv, config_, rotary_, b.head_norms, positions_BT);
    return apply_linear(ReferenceMask::over(heads, mask_.heads_X), b.output);
  }

  Stream run_block(const arch::LayerWork& one, const at::Tensor& positions_BT, const Stream& in,
                   const ReferencePass& pass) const {
    const BlockLeaves& b = blocks_[static_cast<std::size_t>(one.layer)];
    const std::int64_t units = one.units(config_.ffn);
    if (style_.norms_after) return run_block_of_norms_after(one, positions_BT, in, pass);
    const Summed first = add_norm(in.x, in.branch, b.norm_1);
    const at::Tensor attended =
        added(pass.attended(attention(first.normed, one, positions_BT, pass), one), one);
    const Summed second = add_norm(first.sum, attended, b.norm_2);
    return {second.sum,
            added(pass.fed_forward(feed_forward(second.normed, b, units, pass), one), one)};
  }

  Stream run_block_of_norms_after(const arch::LayerWork& one, const at::Tensor& positions_BT,
                                  const Stream& in, const ReferencePass& pass) const {
    const BlockLeaves& b = blocks_[static_cast<std::size_t>(one.layer)];
    const at::Tensor x = in.branch.defined() ? in.x + in.branch : in.x;
    const at::Tensor attended =
        add_norm(attention(x, one, positions_BT, pass), {}, b.norm_1).normed;
    const at::Tensor sum = x + added(pass.attended(attended, one), one);
    const at::Tensor fed_forward =
        add_norm(feed_forward(sum, b, one.units(config_.ffn), pass), {}, b.norm_2).normed;
    return {sum, added(pass.fed_forward(fed_forward, one), one)};
  }

  at::Tensor embedded(const at::Tensor& tokens_BT) const {
    const HeldUnit embeddings = held_embeddings();
    return at::embedding(token_, tokens_BT);
  }

  at::Tensor features(const at::Tensor& tokens_BT, const ReferencePass& pass) const override {
    const at::Tensor x_BTC =
        ReferenceMask::over(pass.embedded(embedded(tokens_BT)), mask_.residual_C);
    const Stream stream = through_all(
        pass,
        [this, pass](const arch::LayerWork& one, const at::Tensor& positions_BT, const Stream& in) {
          return run_block(one, positions_BT, in, pass);
        },
        {x_BTC, {}});
    return add_norm(stream.x, stream.branch, final_norm_).normed;
  }

  const arch::BlockStyle& style_;
  RotaryTables rotary_;
  at::Tensor final_norm_;
  std::vector<BlockLeaves> blocks_;
};

}  // namespace

std::unique_ptr<Model> make_llama_reference(const arch::ModelConfig& config,
                                            const ModelOptions& options) {
  return std::make_unique<LlamaReference>(config, options);
}

}  // namespace stagedtrain::model
