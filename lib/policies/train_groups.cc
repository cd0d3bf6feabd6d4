// The policy train_groups: trains one group of layers after the other (HiFT, arXiv 2401.15207).
//
// The layers are divided into groups of `layers`; the embeddings belong to the first group, the
// final norm and an untied head to the last. Each step trains one group, in turn; the others keep
// their weights and moments. The paper makes the embeddings and the head groups of their own, and
// holds the learning rate for a whole cycle; here a single group is the plain run, and every step
// has the rate of the curve.
//
// A step costs the whole forward pass, the backward pass down to its group, and the group's own
// weight gradients. Mean over the k groups, with m and a the forward FLOPs of a layer's matrices
// and attention, and the g-th group from layer g s on:
//   L (m + a) + mean(L - g s) (m + 2 a) + L / k m + (2 + 1 / k) head.
// A tied core costs what its passes cost: the backward pass goes down to the first use of a layer.
#include <algorithm>
#include <numeric>

#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

std::int64_t count_groups(const PolicyStage& stage) {
  const std::int64_t size = stage.keys.train_groups->layers;
  return std::max<std::int64_t>(1, (stage.model.layers + size - 1) / size);
}

std::int64_t group_of(const PolicyStage& stage, const arch::ParamSpec& spec) {
  if (spec.layer >= 0) return spec.layer / stage.keys.train_groups->layers;
  return spec.role == arch::Role::embed ? 0 : count_groups(stage) - 1;
}

// Draws an order of the groups (Fisher-Yates).
std::vector<std::int64_t> drawn_order(const PolicyStage& stage) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count_groups(stage)));
  std::iota(order.begin(), order.end(), 0);
  const CounterRng draws(stage.seed, hash_name("train_groups"));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draws.below(i, i)]);
  return order;
}

std::int64_t group_at(const PolicyStage& stage, std::int64_t stage_step) {
  const std::int64_t groups = count_groups(stage), turn = stage_step % groups;
  switch (stage.keys.train_groups->order) {
    case schedule::GroupOrder::up:
      return turn;
    case schedule::GroupOrder::down:
      return groups - 1 - turn;
    case schedule::GroupOrder::random:
      break;
  }
  return drawn_order(stage)[static_cast<std::size_t>(turn)];
}

std::vector<bool> frozen(const PolicyStage& stage, const arch::ParamTable& table,
                         std::int64_t stage_step) {
  if (count_groups(stage) == 1) return {};
  const std::int64_t group = group_at(stage, stage_step);
  std::vector<bool> frozen;
  for (const arch::ParamSpec& spec : table) frozen.push_back(group_of(stage, spec) != group);
  return frozen;
}

// Returns what a step that trains this group trains.
arch::TrainedParts trained_by(const PolicyStage& stage, std::int64_t group) {
  const bool is_last = group == count_groups(stage) - 1;
  arch::TrainedParts trained{{}, group == 0, stage.model.tied ? group == 0 : is_last};
  for (std::int64_t layer = 0; layer < stage.model.layers; ++layer)
    trained.layers.push_back(layer / stage.keys.train_groups->layers == group ? 1 : 0);
  return trained;
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  const std::int64_t groups = count_groups(stage);
  if (groups == 1) return arch::step_flops_per_token(stage.model, {}, {}, length);
  arch::TokenFlops sum;
  for (std::int64_t group = 0; group < groups; ++group) {
    const arch::TokenFlops one =
        arch::step_flops_per_token(stage.model, {}, trained_by(stage, group), length);
    sum.total += one.total;
    sum.attention += one.attention;
  }
  const auto n = static_cast<double>(groups);
  return {sum.total / n, sum.attention / n};
}

std::string description(const PolicyStage& stage) {
  return fmt::format("groups of layers: each step trains one of {} groups and leaves the others",
                     count_groups(stage));
}

}  // namespace

const Policy& train_groups() {
  static const Policy policy = {
      .key = "train_groups",
      .is_on = [](const schedule::Policies& keys) { return keys.train_groups.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage& stage, std::int64_t,
                   std::int64_t) { return 1 / static_cast<double>(count_groups(stage)); },
      .refusal = [](const PolicyStage&) { return std::string(); },
      .description = description,
      .frozen = frozen};
  return policy;
}

}  // namespace stagedtrain::plan
