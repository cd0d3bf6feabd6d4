// Provides what all ATen models share: leaves over the flat buffers, the head, and the losses. An
// architecture adds its layers.
#pragma once

#include <ATen/core/grad_mode.h>

#include "arch/loops.h"
#include "model/block_ops.h"
#include "model/dropout.h"
#include "model/key_value_cache.h"
#include "model/model.h"
#include "model/reference_mask.h"
#include "reference/block_again.h"
#include "reference/reference_experts.h"
#include "reference/routed_tokens.h"
#include "reference/student.h"

namespace stagedtrain::model {

// The settings of one pass through the layers. Shapes: B rows, T length, C width, V vocab.
struct ReferencePass {
  PassDropout dropout = {};
  RouterLoads* loads = nullptr;          // sums over all layers; null: not needed
  RouterLabels* labels = nullptr;        // of routed layers in training; null: as in evaluation
  const arch::StepWork* work = nullptr;  // of a training pass; null: the whole model
  std::int64_t layers = 0;               // of the model
  KeyValueCache* cache = nullptr;  // of the one sequence being decoded; null: all rows start at 0

  std::int64_t first_place() const { return cache ? cache->length() : 0; }

  at::Tensor embedded(const at::Tensor& x_BTC) const {
    return dropped(x_BTC, dropout.of_embeddings());
  }
  at::Tensor attended(const at::Tensor& x_BTC, const arch::LayerWork& one) const {
    return dropped(x_BTC, dropout.of_attention(one.place(layers)));
  }
  at::Tensor fed_forward(const at::Tensor& x_BTC, const arch::LayerWork& one) const {
    return dropped(x_BTC, dropout.of_feed_forward(one.place(layers)));
  }

 private:
  at::Tensor dropped(const at::Tensor& x_BTC, const kernels::Dropout& mask) const;
};

// Returns the prefixes of the feed-forwards' tensor names in a block: "mlp.", or "mlp.experts.E."
// for each expert.
std::vector<std::string> feed_forward_prefixes(const arch::ModelConfig& config);

class ReferenceModel : public Model {
 public:
  const char* kernels_name() const override { return ops_.name; }
  void set_mask(const ModelMask& mask) override;
  at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale, std::uint64_t random_seed,
                               GradientProgress* progress) override;
  at::Tensor row_losses(const at::Tensor& tokens_BS) override;
  at::Tensor logits(const at::Tensor& tokens_BT) override;
  at::Tensor mean_features(const at::Tensor& tokens_BT, std::int64_t layers) override;
  // Implements Decoder::read.
  at::Tensor read(const at::Tensor& tokens_T, std::int64_t last, KeyValueCache& cache) const;
  // Implements set_student of reference/student.h.
  void set_student(const std::optional<Distillation>& how);
  Student* student() { return student_.get(); }

 protected:
  ReferenceModel(const arch::ModelConfig& config, const ModelOptions& options);
  // Returns the output of the final norm, [B, T, C].
  virtual at::Tensor features(const at::Tensor& tokens_BT, const ReferencePass& pass) const = 0;

  // Returns a leaf over the compute buffer, whose gradient accumulates in place in the gradient
  // buffer. Several names make one leaf of adjacent tensors.
  at::Tensor leaf(const std::vector<std::string>& names) const;
  at::Tensor leaf(int layer, const std::string& key) const;
  // Applies the layer's branch scale and the mask to what it adds to the residual stream.
  at::Tensor added(const at::Tensor& y_BTC, const arch::LayerWork& one) const {
    const double factor = mask_.of_layer(one.layer) * one.scale;
    return ReferenceMask::over(factor == 1 ? y_BTC : y_BTC * factor, mask_.residual_C);
  }
  // The index of a run of a layer in the key-value cache: first runs, then the further passes of a
  // core.
  std::size_t cached(const arch::LayerWork& one) const {
    const std::int64_t again = config_.layers + (one.use - 1) * config_.core - config_.prelude;
    return static_cast<std::size_t>(one.layer + (one.use > 0 ? again : 0));
  }
  // What a block reads: the positions of its tokens, if they are not all of the sequence.
  using BlockForward =
      std::function<Stream(const arch::LayerWork&, const at::Tensor& positions_BT, const Stream&)>;
  // Runs the blocks of a pass.
  Stream through_all(const ReferencePass& pass, const BlockForward& block, Stream stream) const;
  // Returns what a boundary of looped cores (arch/loops.h) makes of the stream. prelude_BTC is what
  // the prelude left; the first boundary sets it.
  Stream cross_boundary(const Stream& stream, at::Tensor& prelude_BTC) const;
  // While it exists, the weights of a unit of shards are complete.
  class HeldUnit {
   public:
    HeldUnit(Shards* shards, std::int64_t unit) : shards_(shards), unit_(unit) {
      if (shards_) shards_->acquire(unit_);
    }
    ~HeldUnit() {
      if (shards_) shards_->release(unit_);
    }
    HeldUnit(const HeldUnit&) = delete;
    HeldUnit& operator=(const HeldUnit&) = delete;

   private:
    Shards* shards_;
    std::int64_t unit_;
  };
  HeldUnit held_embeddings() const { return {shards_.get(), 0}; }
  HeldUnit held_head() const { return {shards_.get(), shards_ ? shards_->unit_of_head() : 0}; }
  // Query, key and value of a layer's attention as one leaf. kind: "weight" or "bias".
  at::Tensor qkv_leaf(int layer, const std::string& kind) const;

  // BlockLeaves has a member feed_forwards, with one element or as many as experts, and a router.
  // Without experts, the first `units` hidden units run.
  template <class BlockLeaves>
  at::Tensor feed_forward(const at::Tensor& x_BTC, const BlockLeaves& block, std::int64_t units,
                          const ReferencePass& pass) const {
    if (config_.experts == 0) return block.feed_forwards[0](x_BTC, units, mask_, ops_);
    const auto expert = [&](std::int64_t e, const at::Tensor& x_MC) {
      return block.feed_forwards[static_cast<std::size_t>(e)](x_MC, config_.ffn, mask_, ops_);
    };
    return mix_experts(x_BTC.flatten(0, 1), block.router, config_.experts_per_token,
                       config_.norm_topk, expert, pass.loads)
        .view(x_BTC.sizes());
  }

 private:
  friend class Student;  // runs a second model
  bool mixed() const { return options_.precision == Precision::bf16; }
  // A pass can be recorded if it does the same work every time: nothing is random, and no size
  // depends on the data.
  bool can_be_recorded() const {
    return options_.dropout == 0 && config_.experts == 0 && !mask_.active() && !work_.layers &&
           !student_ && !arch::has_routed_layers(config_);
  }
  // Runs one block of a pass. With Recompute::blocks the backward pass recomputes it, unless no
  // input needs a gradient: autograd would then never reach the node that recomputes. With shards,
  // the weights of the block are complete while it runs, in both passes.
  Stream through(std::int64_t layer, const ReferencePass& pass, const BlockBody& block,
                 const Stream& in) const;
  void leave_out_frozen();
  at::Tensor pass(const at::Tensor& tokens_BS, double scale, const PassDropout& dropout);
  at::Tensor scores(const at::Tensor& features) const;
  // With shards: what happens where a backward pass enters a block, leaves it, and ends.
  void enter_backward(std::int64_t unit) const;
  void leave_backward(std::int64_t unit) const;
  void end_backward() const;
  void take_over_gradients(const Range& range) const;

  struct Leaf {
    at::Tensor leaf;
    std::vector<std::size_t> tensors;  // table indices
  };
  at::Tensor compute_, compute_grads_, master_grads_;
  std::int64_t last_unit_ = 0;  // of shards
  arch::StepWork whole_work_;   // of a pass that no policy changes
  arch::Boundaries boundaries_;
  mutable std::vector<Leaf> leaves_;
  std::vector<bool> frozen_;                   // the frozen tensors when leaves_ were last updated
  std::vector<at::Tensor> token_routers_;      // of each layer; undefined where it is not routed
  mutable std::vector<std::int64_t> entered_;  // units that the backward pass has entered, not left
  RecordedPasses recorded_;
  std::unique_ptr<Student> student_;  // null: the model is trained alone

 protected:
  const BlockOps& ops_;
  at::Tensor token_, head_;  // declared after the buffers that they view
  ReferenceMask mask_;
};

}  // namespace stagedtrain::model
