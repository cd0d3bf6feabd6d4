// What all models by ATen operators and autograd share: leaves over the flat buffers, the head, the
// losses. An architecture adds its layers.
#pragma once

#include <ATen/core/grad_mode.h>

#include "model/block_again.h"
#include "model/block_ops.h"
#include "model/key_value_cache.h"
#include "model/model.h"
#include "model/reference_experts.h"
#include "model/reference_mask.h"

namespace stagedtrain::model {

// One way through the layers. Legend: B rows, T length, C width, V vocab.
struct ReferencePass {
  double dropout = 0;
  RouterLoads* loads = nullptr;  // of all layers, or null: not asked for
  const arch::StepWork* work = nullptr;  // of a training pass, or null: the whole model
  KeyValueCache* cache = nullptr;  // of the one row that is read on, or null: rows from their start

  std::int64_t first_place() const { return cache ? cache->length() : 0; }

  bool runs(std::size_t layer) const {
    return !work || work->runs(static_cast<std::int64_t>(layer));
  }
  double branch_scale(std::size_t layer) const {
    return work ? work->branch_scale(static_cast<std::int64_t>(layer)) : 1;
  }
  at::Tensor drop(const at::Tensor& x) const {
    return dropout > 0 ? at::dropout(x, dropout, true) : x;
  }
};

// "mlp.", or "mlp.experts.E." for each expert: where a block's feed-forwards have their tensors.
std::vector<std::string> feed_forward_prefixes(const arch::ModelConfig& config);

class ReferenceModel : public Model {
 public:
  const char* kernels_name() const override { return ops_.name; }
  void set_mask(const ModelMask& mask) override;
  at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale,
                               std::uint64_t random_seed) override;
  at::Tensor row_losses(const at::Tensor& tokens_BS) override;
  at::Tensor logits(const at::Tensor& tokens_BT) override;
  // Decoder::read, which see.
  at::Tensor read(const at::Tensor& tokens_T, std::int64_t last, KeyValueCache& cache) const;

 protected:
  ReferenceModel(const arch::ModelConfig& config, const ModelOptions& options);
  // The output of the final norm, [B, T, C].
  virtual at::Tensor features(const at::Tensor& tokens_BT, const ReferencePass& pass) const = 0;

  // A leaf over the compute buffer whose gradient accumulates in place in the gradient buffer;
  // several names: tensors side by side as one.
  at::Tensor leaf(const std::vector<std::string>& names) const;
  at::Tensor leaf(int layer, const std::string& key) const;
  // What a layer adds to the residual stream: times its scale, behind the mask if there is one.
  at::Tensor added(const at::Tensor& y_BTC, std::size_t layer, const ReferencePass& pass) const {
    const double factor =
        mask_.of_layer(static_cast<std::int64_t>(layer)) * pass.branch_scale(layer);
    return ReferenceMask::over(factor == 1 ? y_BTC : y_BTC * factor, mask_.residual_C);
  }
  // One block of a pass; where options().recompute says so, it is made again in the backward.
  Stream through(const ReferencePass& pass, const BlockBody& block, const Stream& in) const {
    const bool wanted = in.x.requires_grad() || (in.branch.defined() && in.branch.requires_grad());
    const bool again =
        options_.recompute == Recompute::blocks && at::GradMode::is_enabled() && wanted;
    return again ? run_again_later(block, in, pass.dropout > 0) : block(in);
  }
  // Query, key and value of a layer's attention. kind: "weight" or "bias".
  at::Tensor qkv_leaf(int layer, const std::string& kind) const;

  // Block has feed_forwards, one or as many as experts, and their router.
  template <class Block>
  at::Tensor feed_forward(const at::Tensor& x_BTC, const Block& block,
                          const ReferencePass& pass) const {
    if (config_.experts == 0) return block.feed_forwards[0](x_BTC, mask_, ops_);
    const auto expert = [&](std::int64_t e, const at::Tensor& x_MC) {
      return block.feed_forwards[static_cast<std::size_t>(e)](x_MC, mask_, ops_);
    };
    return mix_experts(x_BTC.flatten(0, 1), block.router, config_.experts_per_token, expert,
                       pass.loads)
        .view(x_BTC.sizes());
  }

 private:
  bool mixed() const { return options_.precision == Precision::bf16; }
  // Whether a pass is the same work every time: nothing random, no sizes that depend on numbers.
  bool can_be_recorded() const {
    return options_.dropout == 0 && config_.experts == 0 && !mask_.active() && work_.is_whole();
  }
  void leave_out_frozen();
  at::Tensor pass(const at::Tensor& tokens_BS, double scale);
  at::Tensor scores(const at::Tensor& features) const;

  struct Leaf {
    at::Tensor leaf;
    std::vector<std::size_t> tensors;  // of the table
  };
  at::Tensor compute_, compute_grads_;
  mutable std::vector<Leaf> leaves_;
  std::vector<bool> frozen_;  // that leaves_ leave out
  RecordedPasses recorded_;

 protected:
  const BlockOps& ops_;
  at::Tensor token_, head_;  // after the buffers that they are views of
  ReferenceMask mask_;
};

}  // namespace stagedtrain::model
