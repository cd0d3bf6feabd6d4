// Ten clipped AdamW steps of every architecture against PyTorch (scripts/make_golden.py).
#include "golden/golden_model.h"
#include "optim/adamw.h"
#include "train/decisions.h"

namespace stagedtrain::test {
namespace {

void check_steps(const GoldenFile& golden, const Setup& setup) {
  CAPTURE(setup.name);
  const auto model = make_loaded(golden, setup);
  model::ParamBuffer& params = model->params();
  const GoldenOptimizer& o = golden.optimizer();
  const GoldenTensor &losses = golden["losses"], &norms = golden["norms"];
  const auto relative = [](double found, double expected) {
    return std::abs(found - expected) / expected;
  };
  for (std::size_t step = 0; step < losses.values.size(); ++step) {
    CAPTURE(step);
    const at::Tensor tokens_BS = batch_of(golden, setup, static_cast<std::int64_t>(step));
    const double loss = model->loss_and_backward(tokens_BS, 1.0, 0).item<double>();
    const double norm = train::gradient_norm(params).item<double>();
    CHECK(relative(loss, losses.values[step]) <= setup.loss_tolerance);
    CHECK(relative(norm, norms.values[step]) <= 4 * setup.loss_tolerance);
    train::adamw_step(params, {o.beta1, o.beta2, o.eps, o.decay}, o.rate,
                      static_cast<std::int64_t>(step) + 1, train::clip_factor(norm, o.clip));
    model->weights_changed();
  }
  check_tensors(params, params.weights(), golden, "final", setup.tensor_tolerance);
}

void check_on(at::Device device) {
  for (const std::string& file : kGoldenFiles) {
    CAPTURE(file);
    const GoldenFile golden = open_golden(file);
    for (const Setup& setup : setups_on(device)) check_steps(golden, setup);
  }
}

}  // namespace

TEST_CASE("ten AdamW losses, norms and the final weights are those of PyTorch") {
  check_on(at::kCPU);
}

TEST_CASE("ten AdamW losses on CUDA are those of PyTorch", "[gpu]") {
  if (has_cuda()) check_on(at::kCUDA);
}

}  // namespace stagedtrain::test
