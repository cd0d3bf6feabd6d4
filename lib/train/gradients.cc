// Accumulating gradients over the passes of a step.
#include "train/gradients.h"

#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::train {

double accumulate_gradients(model::Model& model, const data::Batch& batch,
                            const GradientPasses& passes) {
  const at::Tensor tokens = model::to_device(batch, model.options().device);
  const CounterRng seeds(passes.seed, hash_name("dropout"));
  at::Tensor loss;
  for (std::int64_t first = 0; first < batch.rows; first += passes.rows) {
    if (first > 0) stop_point("training");
    const std::int64_t rows = std::min(passes.rows, batch.rows - first);
    const double share = static_cast<double>(rows) / static_cast<double>(batch.rows);
    const auto index = static_cast<std::uint64_t>(passes.step) << 20 |
                       static_cast<std::uint64_t>(first / passes.rows);
    const at::Tensor part =
        model.loss_and_backward(tokens.narrow(0, first, rows), share, seeds.bits(index));
    const at::Tensor weighted = part.to(at::kDouble) * share;
    loss = loss.defined() ? loss + weighted : weighted;
  }
  return loss.item<double>();
}

}  // namespace stagedtrain::train
