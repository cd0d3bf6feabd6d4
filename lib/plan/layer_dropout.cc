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

#include "plan/layer_policy.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

double rate(const StagePlan& stage, std::int64_t layer, std::int64_t stage_step) {
  const auto last_layer = static_cast<double>(stage.model.layers - 1);
  const auto last_step = static_cast<double>(std::max<std::int64_t>(stage.steps - 1, 1));
  const double left = std::max(0.0, 1 - static_cast<double>(stage_step) / last_step);
  return stage.layer_dropout->max * static_cast<double>(layer) / last_layer * left;
}

double mean_layers(const StagePlan& stage) {
  const double mean_over_steps = stage.steps == 1 ? 1 : 0.5;
  const double mean_rate = stage.layer_dropout->max / 2 * mean_over_steps;
  return static_cast<double>(stage.model.layers) * (1 - mean_rate);
}

std::string description(const StagePlan& stage) {
  return fmt::format(
      "layer dropout: layers are left out with a probability of 0 (first layer) to "
      "{} (last layer), which falls to 0 over the stage",
      format_number(stage.layer_dropout->max));
}

}  // namespace

const LayerPolicy& layer_dropout() {
  static const LayerPolicy policy = {
      .key = "layer_dropout",
      .is_on = [](const StagePlan& stage) { return stage.layer_dropout.has_value(); },
      .keep = [](const StagePlan& stage, std::int64_t layer,
                 std::int64_t step) { return 1 - rate(stage, layer, step); },
      .mean_layers = mean_layers,
      .is_scaled = [](const StagePlan&) { return true; },
      .draw = [](const StagePlan& stage) { return stage.layer_dropout->draw; },
      .refusal = [](const StagePlan& stage) -> std::string {
        if (stage.model.layers >= 2) return "";
        return fmt::format(
            "found in a stage of {}, expected at least 2 layers, because "
            "the first is never left out",
            counted(stage.model.layers, "layer"));
      },
      .description = description};
  return policy;
}

}  // namespace stagedtrain::plan
