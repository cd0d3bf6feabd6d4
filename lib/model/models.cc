// Chooses and makes the implementation that a model's options ask for.
#include "model/models.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "arch/architectures.h"
#include "arch/routed_layers.h"
#include "base/error.h"
#include "model/cuda_check.h"
#include "model/model.h"
#include "text/text.h"

namespace stagedtrain::model {

at::ScalarType master_type(Precision precision) {
  return precision == Precision::fp64 ? at::kDouble : at::kFloat;
}
state::DType state_dtype(Precision precision) {
  return precision == Precision::fp64 ? state::DType::f64 : state::DType::f32;
}

Model::Model(const arch::ModelConfig& config, const ModelOptions& options)
    : config_(config),
      options_(options),
      params_(arch::param_table(config), master_type(options.precision), options.device,
              static_cast<bool>(options.make_shards)) {
  if (options.make_shards) shards_ = options.make_shards(params_);
  params_.set_shards(shards_.get());
}

namespace {

// Makes a reference model on a GPU, with the project's CUDA kernels and with graphs if the options
// and the build allow them.
std::unique_ptr<Model> make_on_gpu(const ModelKind& kind, const arch::ModelConfig& config,
                                   ModelOptions options) {
  // kernels launch on the current device
  c10::impl::VirtualGuardImpl(options.device.type()).setDevice(options.device);
  const bool wide = options.precision == Precision::fp64, possible = !wide && has_gpu_kernels();
  if (options.kernels == Kernels::fused && !possible)
    throw usage_error("{}", has_gpu_kernels() ? "the fused CUDA kernels do not support fp64"
                                              : "this build has no fused CUDA kernels")
        .with_hint("give --kernels reference, or run scripts/setup.sh --nvcc and build again");
  if (options.kernels != Kernels::reference && possible) {
    const bool bf16 = options.precision == Precision::bf16;
    options.ops = checked_cuda_ops(options.device, bf16 ? at::kBFloat16 : at::kFloat);
  }
  if (options.kernels != Kernels::reference && !wide) options.make_graph = cuda_graphs();
  std::unique_ptr<Model> model = kind.make_reference(config, options);
  model->params().set_own_cuda(options.ops != nullptr);
  return model;
}

// Returns why the fused CPU kernels cannot compute a model, or null if they can.
const char* obstacle_to_fused(const arch::ModelConfig& config, const ModelOptions& options) {
  if (options.precision != Precision::fp32) return "on a CPU they compute in fp32 only";
  if (config.value_dim != config.head_dim) return "value_dim differs from head_dim";
  if (arch::has_routed_layers(config)) return "layers are routed";
  if (options.recompute == Recompute::blocks && arch::block_style(config).norms_after)
    return "norms follow the branches, and batch.recompute is blocks";
  return nullptr;
}

}  // namespace

std::unique_ptr<Model> make_model(const arch::ModelConfig& config, const ModelOptions& options) {
  for (const ModelKind& kind : model_kinds()) {
    if (config.architecture != kind.architecture) continue;
    if (options.device.is_cuda()) return make_on_gpu(kind, config, options);
    const char* obstacle = obstacle_to_fused(config, options);
    if (options.kernels == Kernels::fused && obstacle)
      throw usage_error("there are no fused kernels for this model: {}", obstacle)
          .with_hint("give --kernels reference");
    return options.kernels == Kernels::reference || obstacle ? kind.make_reference(config, options)
                                                             : make_fused(config, options);
  }
  throw usage_error("no running model for architecture {}", config.architecture);
}

at::Tensor to_device(const data::Batch& batch, at::Device device) {
  // The copy from pinned memory runs while the GPU works. LibTorch keeps that memory until it is
  // done.
  const bool pinned = device.is_cuda();
  at::Tensor host =
      at::empty({batch.rows, batch.length + 1}, at::TensorOptions(at::kLong).pinned_memory(pinned));
  std::copy(batch.tokens.begin(), batch.tokens.end(), host.data_ptr<std::int64_t>());
  return host.to(device, at::kLong, /*non_blocking=*/pinned);
}

at::Device parse_device(const std::string& name) {
  const std::int64_t count = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  const bool cuda = count > 0;
  if (name == "cpu" || (name == "auto" && !cuda)) return at::kCPU;
  const bool known = name == "auto" || name == "cuda" || name.starts_with("cuda:");
  if (!known)
    throw usage_error("--device '{}'{}", name, suggestion(name, {"auto", "cpu", "cuda", "cuda:0"}));
  if (!cuda)
    throw usage_error("--device {}: no CUDA device is visible", name)
        .with_hint(
            "use --device cpu, or run scripts/setup.sh --cuda on a machine with an NVIDIA GPU");
  const auto index =
      name.starts_with("cuda:") ? parse_count(name.substr(5)) : std::optional<std::int64_t>(0);
  if (!index || *index < 0 || *index >= count)
    throw usage_error("--device {}: there are {} CUDA devices, numbered from 0", name, count);
  return {at::kCUDA, static_cast<at::DeviceIndex>(*index)};
}

}  // namespace stagedtrain::model
