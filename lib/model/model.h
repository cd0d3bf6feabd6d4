// A model that runs: forward and backward on a device, over one flat ParamBuffer.
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

// fp32: everything float32. bf16: products in bfloat16, master weights, moments and the loss in
// float32. fp64: everything float64 (for laws and checks).
enum class Precision { fp32, bf16, fp64 };
at::ScalarType master_type(Precision precision);
state::DType state_dtype(Precision precision);

// reference: ATen operators and autograd, on any device and precision. fused: own kernels; on a CPU
// for forward and backward, fp32 only, no experts; on a GPU for all but products and attention, not
// in fp64, and with graphs. automatic: fused where it can be, else reference.
enum class Kernels { automatic, reference, fused };

// What the backward pass makes again instead of keeping it; results are the same to the bit. norms:
// their outputs, by fused kernels on a CPU; reference kernels keep them. blocks: all within a
// block; only what enters it is kept. Not for experts with a balancing loss.
enum class Recompute { none, norms, blocks };

struct BlockOps;

struct ModelOptions {
  at::Device device = at::kCPU;
  Precision precision = Precision::fp32;
  Kernels kernels = Kernels::automatic;
  double dropout = 0;  // on embeddings and both residual branches, in training only
  Recompute recompute = Recompute::none;
  double z_loss = 0;   // coefficient of mean(logsumexp(logits)^2), added to the training loss
  // How the reference computes what is neither product nor attention; null: by ATen.
  const BlockOps* ops = nullptr;
  // Makes graphs for the reference's passes; empty: they run plainly.
  MakeGraph make_graph = {};
};

// What the model has beyond `old` counts `visible`, from 0 (as if it were not there) to 1.
struct ModelMask {
  arch::ModelConfig old;
  double visible = 0;
};

// Legend: B rows, T length, V vocab.
class Model {
 public:
  virtual ~Model() = default;
  // Adds scale * dL/dw to params().grads() and returns L, the mean loss over the batch in nats per
  // token, as a detached 0-dim tensor on the device (no synchronisation). Gradients of tensors that
  // params() has frozen may be left out, and no backward pass goes below the lowest that is
  // trained; those of the others are the same to the bit. tokens_BS: int64,
  // B x (T + 1), on the device. With dropout the masks are a pure function of random_seed.
  virtual at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale,
                                       std::uint64_t random_seed) = 0;
  // The mean loss of each row, [B], float64 on the device; no gradient, no dropout, no z-loss.
  virtual at::Tensor row_losses(const at::Tensor& tokens_BS) = 0;
  // Logits [B, T, V] in the master type for int64 tokens [B, T]; no gradient.
  virtual at::Tensor logits(const at::Tensor& tokens_BT) = 0;
  // What loss_and_backward runs from now on; the other calls always run the whole model. Layers
  // that do not run cost nothing and get no gradient.
  void set_work(arch::StepWork work) {
    ST_CHECK(work.branch_scales.empty() ||
                 static_cast<std::int64_t>(work.branch_scales.size()) == config_.layers,
             "work of {} layers for a model of {}", work.branch_scales.size(), config_.layers);
    work_ = work.is_whole() ? arch::StepWork{} : std::move(work);
  }
  // To be called by who changes params().weights(), but for the optimizer, which sees to it.
  void weights_changed() { params_.update_copy(); }
  // Only reference kernels know masks.
  virtual void set_mask(const ModelMask&) {
    ST_CHECK(false, "{} kernels with a mask", kernels_name());
  }

  ParamBuffer& params() { return params_; }
  const arch::ModelConfig& config() const { return config_; }
  const ModelOptions& options() const { return options_; }
  // "reference", "fused", or "cuda" for the reference with own CUDA kernels.
  virtual const char* kernels_name() const = 0;

 protected:
  Model(const arch::ModelConfig& config, const ModelOptions& options);
  arch::ModelConfig config_;
  ModelOptions options_;
  ParamBuffer params_;
  arch::StepWork work_;  // empty where it is the whole model
};

// Throws Error(usage) if the options ask for what this architecture or device cannot do.
std::unique_ptr<Model> make_model(const arch::ModelConfig& config, const ModelOptions& options);

// A batch as int64 tokens [rows, length + 1] on a device.
at::Tensor to_device(const data::Batch& batch, at::Device device);
// "auto", "cpu", "cuda", "cuda:1" -> device; throws Error(usage) with what is there.
at::Device parse_device(const std::string& name);

}  // namespace stagedtrain::model
