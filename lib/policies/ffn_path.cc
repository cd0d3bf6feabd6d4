// The policy ffn_path: trains nested feed-forwards (MatFormer, arXiv 2310.07707).
//
// A pass draws one share s of the list and runs the first s * ffn hidden units of every layer's
// feed-forward; the others are neither computed nor trained. So the first units, which belong to
// every nested model, are trained most often. The models of all shares live in one set of weights.
//
// Of a feed-forward's matrices a share s is used, so a pass costs as many FLOPs less. The mean over
// the paper's shares 1/8, 1/4, 1/2 and 1 is 0.469 of the feed-forwards.
#include <algorithm>
#include <cmath>

#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

double units_of(const PolicyStage& stage, double share) {
  return share * static_cast<double>(stage.model.ffn);
}

arch::StepWork work_of_share(const PolicyStage& stage, double share) {
  if (share == 1) return {};
  std::vector<arch::LayerWork> layers = arch::StepWork{}.list(stage.model.layers);
  for (arch::LayerWork& one : layers) one.ffn = std::llround(units_of(stage, share));
  return {.layers = std::move(layers)};
}

arch::StepWork work(const PolicyStage& stage, std::int64_t, const CounterRng& draws) {
  const std::vector<double>& shares = stage.keys.ffn_path->shares;
  return work_of_share(stage, shares[draws.below(0, shares.size())]);
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  const std::vector<double>& shares = stage.keys.ffn_path->shares;
  arch::TokenFlops sum;
  for (const double share : shares) {
    const arch::TokenFlops one =
        arch::step_flops_per_token(stage.model, work_of_share(stage, share), {}, length);
    sum.total += one.total;
    sum.attention += one.attention;
  }
  const auto count = static_cast<double>(shares.size());
  return {sum.total / count, sum.attention / count};
}

std::string refusal(const PolicyStage& stage) {
  const std::vector<double>& shares = stage.keys.ffn_path->shares;
  if (stage.model.experts > 0)
    return fmt::format(
        "found in a model of {} experts, expected a model without: tokens choose experts, whose "
        "units are all needed",
        stage.model.experts);
  if (stage.model.layers == 0) return "found in a model without layers, expected at least 1 layer";
  if (shares.empty()) return "shares: found no share, expected at least one";
  for (const double share : shares) {
    const double units = units_of(stage, share);
    if (std::abs(units - std::round(units)) > 1e-6 || units < 0.5)
      return fmt::format("shares: found {}, which is {} of {} units, expected a whole number",
                         format_number(share), format_number(units), stage.model.ffn);
  }
  return "";
}

std::string description(const PolicyStage& stage) {
  std::vector<std::string> words;
  for (const double share : stage.keys.ffn_path->shares)
    words.push_back(grouped(std::llround(units_of(stage, share))));
  return fmt::format("nested feed-forwards: the first {} of {} hidden units run, at random",
                     join(words, ", "), grouped(stage.model.ffn));
}

}  // namespace

const Policy& ffn_path() {
  static const Policy policy = {
      .key = "ffn_path",
      .is_on = [](const schedule::Policies& keys) { return keys.ffn_path.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage&, std::int64_t, std::int64_t) { return 1.0; },
      .refusal = refusal,
      .description = description,
      .work = work,
      .draw = [](const schedule::Policies& keys) { return keys.ffn_path->draw; }};
  return policy;
}

}  // namespace stagedtrain::plan
