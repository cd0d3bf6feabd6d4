// Own CUDA kernels against ATen, operation by operation and in whole models. In upper_tests they
// run on the CPU (support/cuda_emulator.h), in gpu_tests on a card; without one those skip
// themselves.
#include "cuda_kernels/launch.h"
#include "golden/golden_model.h"
#include "model/cuda_check.h"
#include "optim/adamw.h"

namespace stagedtrain::test {
namespace {

at::Device device() { return model::has_gpu_kernels() ? at::kCUDA : at::kCPU; }
bool can_run() { return !model::has_gpu_kernels() || has_cuda(); }

void check_operations(at::Device device) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto checks = model::check_cuda_kernels(model::cuda_ops(), device, dtype);
    CHECK(checks.size() == 7);
    for (const model::OpCheck& check : checks) {
      CAPTURE(check.name, check.difference, check.allowed, dtype);
      CHECK(check.passed());
    }
  }
}

// Logits, loss and gradients of a whole model are PyTorch's.
void check_model(const GoldenFile& golden, const Setup& setup) {
  const auto model = make_loaded(golden, setup);
  model->params().set_own_cuda(true);
  const at::Tensor tokens_BS = batch_of(golden, setup, 0);
  const double loss = golden["losses"].values[0];
  const double found = model->loss_and_backward(tokens_BS, 1.0, 0).item<double>();
  CHECK(std::abs(found - loss) / loss <= setup.loss_tolerance);
  check_tensors(model->params(), model->params().grads(), golden, "gradients",
                setup.tensor_tolerance);
  const double norm = train::gradient_norm(model->params()).item<double>();
  CHECK(norm == Approx(golden["norms"].values[0]).epsilon(setup.loss_tolerance));
}

void check_models(at::Device device) {
  for (const std::string file : {"gpt2_untied.golden", "llama_tied.golden", "mixtral.golden"}) {
    const GoldenFile golden = open_golden(file);
    for (Setup setup : setups_on(device)) {
      const bool bf16 = setup.name == "bf16 reference";
      if (setup.name != "fp32 reference" && !bf16) continue;
      if (bf16 && file != "gpt2_untied.golden") continue;
      CAPTURE(file, setup.name);
      setup.options.ops = &model::cuda_ops();
      check_model(golden, setup);
    }
  }
}

// A step of AdamW, by own kernels or by ATen, leaves the copy as if it were rounded from the
// weights.
void check_copy(bool own) {
  const GoldenFile golden = open_golden("gpt2_untied.golden");
  for (const Setup& setup : setups_on(device())) {
    if (setup.name != "bf16 reference") continue;
    const auto model = make_loaded(golden, setup);
    model::ParamBuffer& params = model->params();
    params.set_own_cuda(own);
    const at::Tensor before = params.copy().clone();
    model->loss_and_backward(batch_of(golden, setup, 0), 1.0, 0);
    train::adamw_step(params, {}, 1e-2, 1, 1.0);
    CHECK(at::equal(params.copy(), params.weights().to(at::kBFloat16)));
    CHECK_FALSE(at::equal(params.copy(), before));
  }
}

}  // namespace

TEST_CASE("own CUDA kernels agree with ATen", "[gpu]") {
  if (can_run()) check_operations(device());
}

TEST_CASE("models by own CUDA kernels are PyTorch's", "[gpu]") {
  if (can_run()) check_models(device());
}

TEST_CASE("AdamW keeps the copy of the weights that products are made with", "[gpu]") {
  if (!can_run()) return;
  check_copy(true);
  check_copy(false);
}

TEST_CASE("a check that fails says which operation it was", "[gpu]") {
  if (!can_run()) return;
  model::BlockOps wrong = model::cuda_ops();
  wrong.swiglu = [](const at::Tensor& x) { return model::aten_ops().swiglu(x) * 1.001; };
  for (const model::OpCheck& check : model::check_cuda_kernels(wrong, device(), at::kFloat)) {
    CAPTURE(check.name, check.difference);
    CHECK(check.passed() == (check.name != "SwiGLU"));
  }
  // One result that is no number, among others that are right.
  wrong.swiglu = model::cuda_ops().swiglu;
  wrong.add_norm = [](const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                      const at::Tensor& bias, double eps) {
    const model::Summed made = model::cuda_ops().add_norm(x, added, weight, bias, eps);
    return model::Summed{made.sum, made.normed + NAN * weight.sum().detach()};
  };
  CHECK_FALSE(model::check_cuda_kernels(wrong, device(), at::kFloat).front().passed());
}

}  // namespace stagedtrain::test
