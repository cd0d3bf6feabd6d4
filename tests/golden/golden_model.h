// Running models made from golden files, and how far their tensors are from PyTorch's.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"
#include "support/catch.h"
#include "support/golden_file.h"

namespace stagedtrain::test {

inline const std::vector<std::string> kGoldenFiles = {
    "gpt2_small.golden",    "gpt2_untied.golden", "llama_untied.golden", "llama_tied.golden",
    "llama_linear.golden",  "llama3.golden",      "qwen2.golden",        "qwen3.golden",
    "olmo2.golden",         "neox.golden",        "mixtral.golden",      "gpt2_experts.golden",
    "qwen3_experts.golden", "olmoe.golden"};

// Where a model runs, and how far it may stray: tensors (stored in float32) relative to their
// scale, losses and norms (stored in float64) relative to themselves.
struct Setup {
  std::string name;
  model::ModelOptions options;
  double tensor_tolerance, loss_tolerance;
};

// Everything a device can run. bfloat16 has 8 bits.
inline std::vector<Setup> setups_on(at::Device device) {
  using model::Kernels;
  using model::Precision;
  const auto options = [&](Precision precision, Kernels kernels) {
    return model::ModelOptions{.device = device, .precision = precision, .kernels = kernels};
  };
  return {{"fp32 reference", options(Precision::fp32, Kernels::reference), 1e-5, 1e-5},
          {"fp32 automatic", options(Precision::fp32, Kernels::automatic), 1e-5, 1e-5},
          {"fp64 reference", options(Precision::fp64, Kernels::reference), 2e-7, 1e-11},
          {"bf16 reference", options(Precision::bf16, Kernels::reference), 5e-2, 5e-3}};
}

inline at::Tensor to_tensor(const GoldenTensor& golden) {
  return at::tensor(golden.values, at::kDouble).view(golden.shape);
}

// The largest difference, relative to the expected tensor's scale; NaN if either holds one. An
// expert without tokens has a gradient of zero: then it is the difference itself.
inline double deviation(const at::Tensor& found, const GoldenTensor& expected) {
  REQUIRE(found.sizes().vec() == expected.shape);
  const at::Tensor difference = found.detach().to(at::kCPU, at::kDouble) - to_tensor(expected);
  return difference.abs().max().item<double>() / (expected.scale > 0 ? expected.scale : 1);
}

inline std::unique_ptr<model::Model> make_loaded(const GoldenFile& golden, const Setup& setup) {
  auto model = model::make_model(golden.model(), setup.options);
  model::ParamBuffer& params = model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i)
    params.view(params.weights(), i).copy_(to_tensor(golden["weights/" + params.table()[i].name]));
  model->weights_changed();
  return model;
}

// The tokens of a step, [B, T + 1].
inline at::Tensor batch_of(const GoldenFile& golden, const Setup& setup, std::int64_t step) {
  return to_tensor(golden["tokens"])[step].to(setup.options.device, at::kLong);
}

// Compares every tensor of a flat buffer with those that the file holds in this group.
inline void check_tensors(model::ParamBuffer& params, const at::Tensor& flat,
                          const GoldenFile& golden, const std::string& group, double tolerance) {
  std::size_t compared = 0;
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const std::string name = group + "/" + params.table()[i].name;
    if (!golden.contains(name)) continue;  // a weight without gradient, see make_golden.py
    CAPTURE(name);
    CHECK(deviation(params.view(flat, i), golden[name]) <= tolerance);
    ++compared;
  }
  CHECK(compared + static_cast<std::size_t>(golden.model().layers) >= params.table().size());
}

inline bool has_cuda() {
  if (at::hasCUDA() && model::parse_device("auto").is_cuda()) return true;
  WARN("skipped: no CUDA device is visible");
  SUCCEED();
  return false;
}

}  // namespace stagedtrain::test
