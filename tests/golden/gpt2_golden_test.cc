// GPT-2 against PyTorch with `transformers` (scripts/make_golden.py): logits, loss and gradients.
#include <cmath>

#include "model/model.h"
#include "support/catch.h"
#include "support/golden_file.h"

namespace stagedtrain {
namespace {

using model::Kernels;
using model::Precision;
using test::GoldenFile;
using test::GoldenTensor;

// Where a model runs, and how far it may stray, relative to each tensor's scale.
struct Setup {
  const char* name;
  model::ModelOptions options;
  double tolerance;
};

const char* const kFiles[] = {"gpt2_small.golden", "gpt2_untied.golden"};

std::vector<double> host_values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

at::Tensor to_tensor(const GoldenTensor& golden) {
  return at::tensor(golden.values, at::kDouble).view(golden.shape);
}

// The largest difference, relative to the expected tensor's scale.
double deviation(const at::Tensor& found, const GoldenTensor& expected) {
  REQUIRE(found.sizes().vec() == expected.shape);
  const std::vector<double> values = host_values(found);
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(values[i] - expected.values[i]);
    if (!(difference <= largest)) largest = difference;  // NaN too
  }
  return largest / expected.scale;
}

std::unique_ptr<model::Model> make_loaded(const GoldenFile& golden, const Setup& setup) {
  auto model = model::make_model(golden.model(), setup.options);
  model::ParamBuffer& params = model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i)
    params.view(params.weights(), i).copy_(to_tensor(golden["weights/" + params.table()[i].name]));
  params.grads().zero_();
  model->weights_changed();
  return model;
}

// The tokens of batch 0, [B, T + 1].
at::Tensor first_batch(const GoldenFile& golden, const Setup& setup) {
  return to_tensor(golden["tokens"])[0].to(setup.options.device, at::kLong);
}

void check_gradients(model::Model& model, const GoldenFile& golden, double tolerance) {
  model::ParamBuffer& params = model.params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const std::string& name = params.table()[i].name;
    CAPTURE(name);
    CHECK(deviation(params.view(params.grads(), i), golden["gradients/" + name]) <= tolerance);
  }
}

void check_against(const GoldenFile& golden, const Setup& setup) {
  CAPTURE(setup.name);
  const auto model = make_loaded(golden, setup);
  const at::Tensor tokens_BS = first_batch(golden, setup);
  const double loss = golden["losses"].values[0];
  const auto close = Catch::Detail::Approx(loss).epsilon(setup.tolerance).margin(0);

  const at::Tensor inputs_BT = tokens_BS.narrow(1, 0, tokens_BS.size(1) - 1);
  CHECK(deviation(model->logits(inputs_BT), golden["logits"]) <= setup.tolerance);
  CHECK(model->row_losses(tokens_BS).mean().item<double>() == close);
  CHECK(model->params().grads().abs().max().item<double>() == 0);

  CHECK(model->loss_and_backward(tokens_BS, 1.0, 0).item<double>() == close);
  check_gradients(*model, golden, setup.tolerance);
}

// Each row by itself, scaled: gradients accumulate to those of the whole batch.
void check_accumulation(const GoldenFile& golden, const Setup& setup) {
  CAPTURE(setup.name);
  const auto model = make_loaded(golden, setup);
  const at::Tensor tokens_BS = first_batch(golden, setup);
  const std::int64_t rows = tokens_BS.size(0);
  for (std::int64_t row = 0; row < rows; ++row)
    model->loss_and_backward(tokens_BS.narrow(0, row, 1), 1.0 / static_cast<double>(rows), 0);
  check_gradients(*model, golden, setup.tolerance);
}

std::vector<Setup> setups_on(at::Device device) {
  const auto options = [&](Precision precision, Kernels kernels) {
    model::ModelOptions o;
    o.device = device;
    o.precision = precision;
    o.kernels = kernels;
    return o;
  };
  // The files hold float32: 1e-7 is their own rounding. bfloat16 has 8 bits.
  return {{"fp32 reference", options(Precision::fp32, Kernels::reference), 1e-5},
          {"fp32 automatic", options(Precision::fp32, Kernels::automatic), 1e-5},
          {"fp64 reference", options(Precision::fp64, Kernels::reference), 2e-7},
          {"bf16 reference", options(Precision::bf16, Kernels::reference), 5e-2}};
}

bool has_cuda() {
  if (at::hasCUDA() && model::parse_device("auto").is_cuda()) return true;
  WARN("skipped: no CUDA device is visible");
  return false;
}

}  // namespace

TEST_CASE("logits, loss and all gradients of GPT-2 are those of PyTorch") {
  const char* file = GENERATE(from_range(std::begin(kFiles), std::end(kFiles)));
  CAPTURE(file);
  const GoldenFile golden = test::open_golden(file);
  for (const Setup& setup : setups_on(at::kCPU)) check_against(golden, setup);
}

TEST_CASE("gradients of a batch taken row by row are those of PyTorch") {
  const char* file = GENERATE(from_range(std::begin(kFiles), std::end(kFiles)));
  CAPTURE(file);
  const GoldenFile golden = test::open_golden(file);
  for (const Setup& setup : setups_on(at::kCPU)) check_accumulation(golden, setup);
}

TEST_CASE("logits, loss and all gradients of GPT-2 on CUDA are those of PyTorch", "[gpu]") {
  if (!has_cuda()) return SUCCEED("no CUDA device");
  const char* file = GENERATE(from_range(std::begin(kFiles), std::end(kFiles)));
  const GoldenFile golden = test::open_golden(file);
  for (const Setup& setup : setups_on(at::kCUDA)) {
    check_against(golden, setup);
    check_accumulation(golden, setup);
  }
}

}  // namespace stagedtrain
