// Sums FLOPs over the layers that run; skipped layers cost nothing.
#include "arch/step_flops.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/distinct_tensors.h"
#include "arch/loops.h"
#include "arch/routed_layers.h"

namespace stagedtrain::arch {
namespace {

struct ForwardFlops {
  double matrices = 0, attention = 0;  // FLOPs of one layer through which all tokens pass
  double feed_forward = 0;             // the part of `matrices` that its hidden units cost
  double head = 0;
};

// Returns the weights of a layer's matrices that one hidden unit has. Requires no experts.
std::int64_t weights_of_unit(const ModelConfig& config) {
  std::int64_t weights = 0;
  for (const DistinctTensor& tensor : distinct_tensors(config)) {
    const ParamSpec& spec = tensor.spec;
    const bool counts =
        spec.layer == 0 && spec.axes.size() == 2 &&
        std::ranges::any_of(spec.axes, [](const AxisSize& axis) { return axis.axis == Axis::ffn; });
    if (counts) weights += spec.count() / config.ffn;
  }
  return weights;
}

// A forward pass costs a third of a step that trains everything.
ForwardFlops forward_flops(const ModelConfig& any, std::int64_t length) {
  const ModelConfig config = without_routing(any);
  ForwardFlops forward;
  forward.head = 2 * static_cast<double>(config.vocab) * static_cast<double>(config.width);
  if (config.layers == 0) return forward;
  const auto layers = static_cast<double>(executed_layers(config));
  forward.attention = attention_flops_per_token(config, length) / 3 / layers;
  forward.matrices =
      (flops_per_token(config, length) / 3 - forward.head) / layers - forward.attention;
  if (config.experts == 0)
    forward.feed_forward = 2 * static_cast<double>(weights_of_unit(config) * config.ffn);
  return forward;
}

// Returns the cost of one run of a layer, of its matrices and of its attention.
TokenFlops cost_of(const ForwardFlops& forward, const ModelConfig& config, const LayerWork& work,
                   std::int64_t length) {
  TokenFlops cost{forward.matrices, forward.attention};
  if (work.ffn > 0)
    cost.total -= forward.feed_forward *
                  (1 - static_cast<double>(work.ffn) / static_cast<double>(config.ffn));
  if (is_routed(config, work.layer)) {
    const double router = 2 * static_cast<double>(config.width), share = config.routed_share;
    return {cost.total * share + router, cost.attention * share * share};
  }
  if (work.tokens == 0) return cost;
  const double share =
      static_cast<double>(work.tokens) / static_cast<double>(length > 0 ? length : config.context);
  return {cost.total * share, cost.attention * share * share};
}

bool is_in_block(const ParamSpec& spec) { return spec.layer >= 0 && spec.axes.size() == 2; }

// Returns the share of a tensor that one token uses: less than 1 only for experts.
double active_share(const ModelConfig& config, const ParamSpec& spec) {
  if (spec.expert < 0) return 1;
  return static_cast<double>(std::min(config.experts, config.experts_per_token)) /
         static_cast<double>(config.experts);
}

}  // namespace

TrainedParts trained_parts(const ModelConfig& config, const std::vector<bool>& frozen) {
  TrainedParts parts{std::vector<double>(static_cast<std::size_t>(config.layers)), false, false};
  std::vector<double> all(parts.layers.size());
  const ParamTable table = param_table(config);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const ParamSpec& spec = table[i];
    if (is_in_block(spec)) {
      const auto layer = static_cast<std::size_t>(spec.layer);
      const double weights = static_cast<double>(spec.count()) * active_share(config, spec);
      all[layer] += weights;
      if (!frozen[i]) parts.layers[layer] += weights;
    } else if (!frozen[i] && spec.layer < 0 && spec.role == Role::embed) {
      parts.below_layers = true;
      if (config.tied && spec.name == "embed.token") parts.head = true;
    } else if (!frozen[i] && spec.role == Role::head) {
      parts.head = true;
    }
  }
  for (std::size_t layer = 0; layer < all.size(); ++layer)
    if (all[layer] > 0) parts.layers[layer] /= all[layer];
  return parts;
}

TokenFlops step_flops_per_token(const ModelConfig& config, const StepWork& work,
                                const TrainedParts& trained, std::int64_t length) {
  if (work.is_whole(config.layers) && trained == TrainedParts{})
    return {flops_per_token(config, length), attention_flops_per_token(config, length)};
  const ForwardFlops forward = forward_flops(config, length);
  TokenFlops sum;
  bool backward = trained.below_layers;
  const StepWork runs = work.layers ? work : whole_work(config);
  for (const LayerWork& one : runs.list(config.layers)) {
    const double share = trained.share(one.layer);
    const TokenFlops cost = cost_of(forward, config, one, length);
    backward = backward || share > 0;
    const double b = backward ? 1 : 0;
    sum.total += cost.total * (1 + b + share);
    sum.attention += cost.attention * (1 + 2 * b);
    if (!compares_tokens(config) || !is_routed(config, one.layer)) continue;
    sum.total += forward.matrices;
    sum.attention += forward.attention;
  }
  sum.total += sum.attention + forward.head * (1 + (backward ? 1 : 0) + (trained.head ? 1 : 0));
  return sum;
}

TokenFlops mean_flops_per_token(const ModelConfig& any, double layers, std::int64_t length) {
  const ModelConfig config = without_routing(any);
  if (layers == static_cast<double>(executed_layers(config)))
    return {flops_per_token(config, length), attention_flops_per_token(config, length)};
  const ForwardFlops forward = forward_flops(config, length);
  const double attention = 3 * layers * forward.attention;
  return {3 * (layers * forward.matrices + forward.head) + attention, attention};
}

}  // namespace stagedtrain::arch
