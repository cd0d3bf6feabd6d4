// The policy token_dropping: trains the middle layers on a part of the tokens (Random-LTD, arXiv
// 2211.11586).
//
// In every layer but the first and the last, a random subset of r of the T tokens of each sequence
// passes through the layer, drawn for each layer and sequence by itself: these tokens attend to one
// another, causally and at their own positions, and all others skip the layer. All tokens count in
// the loss. r rises in the first `over` of the stage's steps, N of them:
//   r(t) = start + floor((T - start) t / N), down to start plus a multiple of `step`; T from N on.
//
// A middle layer costs r / T of its matrices, and (r / T)^2 of its attention.
#include <algorithm>

#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

std::int64_t rising_steps(const PolicyStage& stage) {
  const double steps = stage.keys.token_dropping->over * static_cast<double>(stage.steps);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(steps));
}

std::int64_t kept_at(const PolicyStage& stage, std::int64_t stage_step) {
  const schedule::TokenDroppingSpec& keys = *stage.keys.token_dropping;
  const std::int64_t all = stage.model.context, rising = rising_steps(stage);
  if (stage_step >= rising) return all;
  return keys.start + (all - keys.start) * stage_step / rising / keys.step * keys.step;
}

arch::StepWork work(const PolicyStage& stage, std::int64_t stage_step, const CounterRng& draws) {
  const std::int64_t kept = kept_at(stage, stage_step), last = stage.model.layers - 1;
  if (kept == stage.model.context) return {};
  arch::StepWork work{.layers = arch::StepWork{}.list(stage.model.layers),
                      .token_seed = draws.bits(0)};
  for (std::int64_t layer = 1; layer < last; ++layer)
    (*work.layers)[static_cast<std::size_t>(layer)].tokens = kept;
  return work;
}

// The means of r / T and of (r / T)^2 over the stage's steps. Each value of r begins at the first
// step t with (T - start) t >= k step N.
struct KeptShares {
  double mean = 0, mean_square = 0;
};
KeptShares kept_shares(const PolicyStage& stage) {
  const schedule::TokenDroppingSpec& keys = *stage.keys.token_dropping;
  const std::int64_t all = stage.model.context, rising = rising_steps(stage);
  const std::int64_t steps = std::max<std::int64_t>(1, stage.steps), rise = all - keys.start;
  KeptShares shares;
  const auto add = [&](std::int64_t kept, std::int64_t count) {
    const double share = static_cast<double>(kept) / static_cast<double>(all);
    const double weight = static_cast<double>(count) / static_cast<double>(steps);
    shares.mean += weight * share;
    shares.mean_square += weight * share * share;
  };
  std::int64_t begin = 0;
  for (std::int64_t kept = keys.start; kept < all && begin < rising; kept += keys.step) {
    const std::int64_t next = kept + keys.step - keys.start;
    const std::int64_t end = std::min(rising, (next * rising + rise - 1) / rise);
    add(kept, end - begin);
    begin = end;
  }
  add(all, steps - begin);
  return shares;
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  const arch::TokenFlops whole = arch::step_flops_per_token(stage.model, {}, {}, length);
  const double head =
      6 * static_cast<double>(stage.model.vocab) * static_cast<double>(stage.model.width);
  const auto layers = static_cast<double>(stage.model.layers);
  const double middle = (layers - 2) / layers;
  const KeptShares kept = kept_shares(stage);
  const double matrices = (whole.total - whole.attention - head) * middle * (1 - kept.mean),
               attention = whole.attention * middle * (1 - kept.mean_square);
  return {whole.total - matrices - attention, whole.attention - attention};
}

std::string refusal(const PolicyStage& stage) {
  if (stage.model.layers < 3)
    return fmt::format(
        "found in a stage of {} layer{}, expected at least 3 layers: the first and the last take "
        "all tokens",
        stage.model.layers, stage.model.layers == 1 ? "" : "s");
  const schedule::TokenDroppingSpec& keys = *stage.keys.token_dropping;
  const std::int64_t rise = stage.model.context - keys.start;
  if (rise < 0)
    return fmt::format("start: found {}, expected at most {}, the context", keys.start,
                       stage.model.context);
  if (rise > 0 && keys.step > rise)
    return fmt::format(
        "step: found {}, expected at most {}, the context less start: with a larger step the "
        "number of tokens never rises before the end",
        keys.step, rise);
  return "";
}

std::string description(const PolicyStage& stage) {
  return fmt::format(
      "dropped tokens: {} to {} tokens of each sequence, drawn at random, pass through the layers "
      "between the first and the last; on a CPU the run uses reference kernels",
      stage.keys.token_dropping->start, stage.model.context);
}

}  // namespace

const Policy& token_dropping() {
  static const Policy policy = {
      .key = "token_dropping",
      .is_on = [](const schedule::Policies& keys) { return keys.token_dropping.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage&, std::int64_t, std::int64_t) { return 1.0; },
      .refusal = refusal,
      .description = description,
      .work = work};
  return policy;
}

}  // namespace stagedtrain::plan
