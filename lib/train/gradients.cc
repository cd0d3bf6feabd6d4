// Accumulating gradients over the passes of a step.
#include "train/gradients.h"

#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::train {

at::Tensor accumulate_gradients(model::Model& model, const at::Tensor& tokens_BS,
                                const GradientPasses& passes) {
  const std::int64_t all = tokens_BS.size(0);
  const CounterRng seeds(passes.seed, hash_name("dropout"));
  at::Tensor loss;
  for (std::int64_t first = 0; first < all; first += passes.rows) {
    if (first > 0) stop_point("training");
    const std::int64_t rows = std::min(passes.rows, all - first);
    const double share = static_cast<double>(rows) / static_cast<double>(all);
    const auto index = static_cast<std::uint64_t>(passes.step) << 20 |
                       static_cast<std::uint64_t>(first / passes.rows);
    const at::Tensor part =
        model.loss_and_backward(tokens_BS.narrow(0, first, rows), share, seeds.bits(index));
    const at::Tensor weighted = part.to(at::kDouble) * share;
    loss = loss.defined() ? loss + weighted : weighted;
  }
  return loss;
}

}  // namespace stagedtrain::train
