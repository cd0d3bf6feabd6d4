// Every architecture against PyTorch with `transformers` (scripts/make_golden.py): logits, loss and
// gradients.
#include "golden/golden_model.h"

namespace stagedtrain::test {
namespace {

void check_whole_batch(const GoldenFile& golden, const Setup& setup) {
  CAPTURE(setup.name);
  const auto model = make_loaded(golden, setup);
  const at::Tensor tokens_BS = batch_of(golden, setup, 0);
  const double loss = golden["losses"].values[0];
  const auto close = [&](double found) { return std::abs(found - loss) / loss; };

  const at::Tensor inputs_BT = tokens_BS.narrow(1, 0, tokens_BS.size(1) - 1);
  CHECK(deviation(model->logits(inputs_BT), golden["logits"]) <= setup.tensor_tolerance);
  CHECK(close(model->row_losses(tokens_BS).mean().item<double>()) <= setup.loss_tolerance);
  CHECK(model->params().grads().abs().max().item<double>() == 0);

  const at::Tensor found = model->loss_and_backward(tokens_BS, 1.0, 0);
  CHECK(close(found.item<double>()) <= setup.loss_tolerance);
  check_tensors(model->params(), model->params().grads(), golden, "gradients",
                setup.tensor_tolerance);
}

// Each row by itself, scaled: gradients accumulate to those of the whole batch (but for those of a
// load-balancing loss, which is of the batch as a whole).
void check_row_by_row(const GoldenFile& golden, const Setup& setup) {
  CAPTURE(setup.name);
  const auto model = make_loaded(golden, setup);
  const at::Tensor tokens_BS = batch_of(golden, setup, 0);
  const std::int64_t rows = tokens_BS.size(0);
  for (std::int64_t row = 0; row < rows; ++row)
    model->loss_and_backward(tokens_BS.narrow(0, row, 1), 1.0 / static_cast<double>(rows), 0);
  check_tensors(model->params(), model->params().grads(), golden, "gradients",
                setup.tensor_tolerance);
}

void check_on(at::Device device) {
  for (const std::string& file : kGoldenFiles) {
    CAPTURE(file);
    const GoldenFile golden = open_golden(file);
    for (const Setup& setup : setups_on(device)) {
      // In bfloat16 some tokens go to other experts, and all that follows is another sum.
      if (golden.model().experts > 0 && setup.options.precision == model::Precision::bf16) continue;
      check_whole_batch(golden, setup);
      if (golden.model().experts == 0) check_row_by_row(golden, setup);
    }
  }
}

}  // namespace

TEST_CASE("logits, loss and all gradients are those of PyTorch") { check_on(at::kCPU); }

TEST_CASE("logits, loss and all gradients on CUDA are those of PyTorch", "[gpu]") {
  if (has_cuda()) check_on(at::kCUDA);
}

}  // namespace stagedtrain::test
