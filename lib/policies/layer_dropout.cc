// The policy layer_dropout: drops layers at random, at a rate that falls over the stage (Don't Drop
// Dropout, arXiv 2609.05275).
//
// Layer l of L is left out of step t of T with the probability
//   p(l, t) = max * l / (L - 1) * (1 - t / (T - 1)),
// whose mean is max / 4. If the layer runs, its output is multiplied by 1 / (1 - p), so each branch
// keeps its mean. The input of a later layer still has another distribution than in the whole
// model, because the mean of a product of scales is not the product of their means.
//
// The paper draws for each sequence. Here all rows of a micro-batch share a draw: if its rows ran
// different layers, matrix products would save no work.
#include <algorithm>

#include "policies/policy.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

double rate(const PolicyStage& stage, std::int64_t layer, std::int64_t stage_step) {
  const auto last_layer = static_cast<double>(stage.model.layers - 1);
  const auto last_step = static_cast<double>(std::max<std::int64_t>(stage.steps - 1, 1));
  const double left = std::max(0.0, 1 - static_cast<double>(stage_step) / last_step);
  return stage.keys.layer_dropout->max * static_cast<double>(layer) / last_layer * left;
}

double mean_layers(const PolicyStage& stage) {
  const double mean_over_steps = stage.steps == 1 ? 1 : 0.5;
  const double mean_rate = stage.keys.layer_dropout->max / 2 * mean_over_steps;
  return static_cast<double>(stage.model.layers) * (1 - mean_rate);
}

std::string description(const PolicyStage& stage) {
  return fmt::format(
      "layer dropout: layers are left out with a probability of 0 (first layer) to "
      "{} (last layer), which falls to 0 over the stage",
      format_number(stage.keys.layer_dropout->max));
}

double keep(const PolicyStage& stage, std::int64_t layer, std::int64_t stage_step) {
  return 1 - rate(stage, layer, stage_step);
}

std::string refusal(const PolicyStage& stage) {
  if (stage.model.layers >= 2) return "";
  return fmt::format(
      "found in a stage of {}, expected at least 2 layers, because the first is never left out",
      counted(stage.model.layers, "layer"));
}

arch::StepWork work(const PolicyStage& stage, std::int64_t stage_step, const CounterRng& draws) {
  return drawn_layers(
      stage.model.layers, [&](std::int64_t layer) { return keep(stage, layer, stage_step); }, true,
      draws);
}

}  // namespace

const Policy& layer_dropout() {
  static const Policy policy = {
      .key = "layer_dropout",
      .is_on = [](const schedule::Policies& keys) { return keys.layer_dropout.has_value(); },
      .mean_flops =
          [](const PolicyStage& stage, std::int64_t length) {
            return arch::mean_flops_per_token(stage.model, mean_layers(stage), length);
          },
      .chance = keep,
      .refusal = refusal,
      .description = description,
      .work = work,
      .draw = [](const schedule::Policies& keys) { return keys.layer_dropout->draw; }};
  return policy;
}

}  // namespace stagedtrain::plan
