// Defines the interface of a model that runs: its forward and backward passes on a device, over one
// flat ParamBuffer.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "arch/model_config.h"
#include "arch/step_work.h"
#include "base/error.h"
#include "data/batch_stream.h"
#include "model/param_buffer.h"
#include "model/recorded_passes.h"

namespace stagedtrain::model {

// fp32: everything is float32. bf16: products are computed in bfloat16; master weights, moments and
// the loss are float32. fp64: everything is float64 (for tests and checks).
enum class Precision { fp32, bf16, fp64 };
at::ScalarType master_type(Precision precision);
state::DType state_dtype(Precision precision);

// reference: ATen and autograd, on any device and in any precision. fused: the project's kernels.
// On a CPU they compute forward and backward, in fp32 only. On a GPU they compute all but products
// and attention, in fp32 and bf16, with CUDA graphs, without masks. automatic: fused if possible,
// else reference.
enum class Kernels { automatic, reference, fused };

// What the backward pass recomputes instead of storing it. Results are the same, to the bit. norms:
// the outputs of norms (fused CPU kernels only; reference kernels ignore it). blocks: everything
// inside a block, so that only its inputs are stored. blocks does not support experts with a
// balancing loss.
enum class Recompute { none, norms, blocks };

struct BlockOps;

struct ModelOptions {
  at::Device device = at::kCPU;
  Precision precision = Precision::fp32;
  Kernels kernels = Kernels::automatic;
  double dropout = 0;  // on embeddings and both residual branches, in training only
  Recompute recompute = Recompute::none;
  // coefficient of mean(logsumexp(logits)^2), which is added to the training loss
  double z_loss = 0;
  // The reference's operations besides products and attention. Null: ATen.
  const BlockOps* ops = nullptr;
  // Creates the shards of a model that holds a part of its weights. Empty: it holds all of them.
  MakeShards make_shards = {};
  // Creates CUDA graphs for the reference's passes. Empty: passes run without graphs.
  MakeGraph make_graph = {};
};

// Scales everything that the model has beyond `old` by `visible`, from 0 (as if it did not exist)
// to 1.
struct ModelMask {
  arch::ModelConfig old;
  double visible = 0;
};

// Shapes: B rows, T length, S = T + 1, V vocab.
class Model {
 public:
  virtual ~Model() = default;
  // Adds scale * dL/dw to params().grads(). Returns L, the mean loss over the batch in nats per
  // token, as a detached 0-dim tensor on the device, without synchronization. tokens_BS are int64
  // and on the device. The model may skip the gradients of tensors that params() has frozen, and
  // the backward pass stops at the lowest trained tensor; the other gradients are the same, to the
  // bit. Dropout masks are a pure function of random_seed. progress, unless null, is told what is
  // complete by models that know it (fused CPU kernels without a mask), on the calling thread.
  virtual at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale,
                                       std::uint64_t random_seed,
                                       GradientProgress* progress = nullptr) = 0;
  // Returns the mean loss of each row, [B], in float64 on the device. Computes no gradient, and
  // applies neither dropout nor z-loss.
  virtual at::Tensor row_losses(const at::Tensor& tokens_BS) = 0;
  // Returns the logits [B, T, V] in the master type for int64 tokens [B, T]. Computes no gradient.
  virtual at::Tensor logits(const at::Tensor& tokens_BT) = 0;
  // Returns for each row of int64 tokens [B, T] the mean over its positions of the output of the
  // final norm if only the first `layers` layers run, [B, C] in float32 on the CPU. Computes no
  // gradient.
  virtual at::Tensor mean_features(const at::Tensor& tokens_BT, std::int64_t layers) = 0;
  // Sets what loss_and_backward runs from now on. The other calls always run the whole model. What
  // does not run costs nothing and gets no gradient; that of a layer that runs several times is the
  // sum over its runs.
  void set_work(arch::StepWork work) {
    for (const arch::LayerWork& one : work.list(0))
      ST_CHECK(one.layer >= 0 && one.layer < config_.layers && one.ffn <= config_.ffn,
               "work of layer {} with {} units for a model of {} with {}", one.layer, one.ffn,
               config_.layers, config_.ffn);
    work_ = work.is_whole(config_.layers) ? arch::StepWork{} : std::move(work);
  }
  // Call this after any change to params().weights(), except by the optimizer, which updates the
  // copy itself.
  void weights_changed() { params_.update_copy(); }
  // Shows the model through a growth mask from now on. visible = 1 removes it.
  virtual void set_mask(const ModelMask&) {
    ST_CHECK(false, "{} kernels with a mask", kernels_name());
  }

  ParamBuffer& params() { return params_; }
  // Null if this process holds all weights.
  Shards* shards() const { return shards_.get(); }
  const arch::ModelConfig& config() const { return config_; }
  const ModelOptions& options() const { return options_; }
  // "reference", "fused", or "cuda" (the reference with the project's CUDA kernels).
  virtual const char* kernels_name() const = 0;

 protected:
  Model(const arch::ModelConfig& config, const ModelOptions& options);
  arch::ModelConfig config_;
  ModelOptions options_;
  ParamBuffer params_;
  std::unique_ptr<Shards> shards_;
  arch::StepWork work_;  // without a list if the whole model runs
};

// Throws Error(usage) if the architecture or the device does not support the options.
std::unique_ptr<Model> make_model(const arch::ModelConfig& config, const ModelOptions& options);

// Copies a batch to a device as int64 tokens [rows, length + 1].
at::Tensor to_device(const data::Batch& batch, at::Device device);
// Parses "auto", "cpu", "cuda" or "cuda:1". Throws Error(usage) if there is no such device.
at::Device parse_device(const std::string& name);

}  // namespace stagedtrain::model
