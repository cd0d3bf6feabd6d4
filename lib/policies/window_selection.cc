// Follows the selections of a run from stage to stage.
#include "policies/window_selection.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::plan {
namespace {

std::int64_t steps_of(const Duration& length) { return static_cast<std::int64_t>(length.amount); }

}  // namespace

const schedule::SelectSpec* selection_of(const schedule::Schedule& s) {
  return s.data.select && s.data.select->share < 1 ? &*s.data.select : nullptr;
}

bool features_are_due(const schedule::SelectSpec& select, const SelectionPlace& newest,
                      std::int64_t step, std::int64_t context) {
  if (step < steps_of(select.after)) return false;
  const std::int64_t refresh = steps_of(select.refresh);
  return newest.context != context || (refresh > 0 && step >= newest.features_step + refresh);
}

bool subset_is_due(const schedule::SelectSpec& select, const SelectionPlace& newest,
                   std::int64_t step, std::int64_t context) {
  return features_are_due(select, newest, step, context) ||
         (newest.context == context && step >= newest.step + steps_of(select.every));
}

std::int64_t feature_layers(const schedule::SelectSpec& select, std::int64_t layers) {
  return static_cast<std::int64_t>(std::ceil(select.depth * static_cast<double>(layers) - 1e-9));
}

SelectionCost selection_pass(const schedule::SelectSpec& select, const arch::ModelConfig& model,
                             std::int64_t windows) {
  const std::int64_t layers = feature_layers(select, model.layers);
  const arch::TokenFlops each =
      arch::mean_flops_per_token(model, static_cast<double>(layers));  // forward and backward
  const auto width = static_cast<double>(model.width);
  const double head = 6 * static_cast<double>(model.vocab) * width;
  const double tokens = static_cast<double>(windows) * static_cast<double>(model.context);
  const std::int64_t rest = windows % select.partition;
  const double pairs = static_cast<double>(windows - rest) * static_cast<double>(select.partition) +
                       static_cast<double>(rest) * static_cast<double>(rest);
  return {1, windows, tokens * (each.total - head) / 3 + 2 * width * pairs,
          tokens * each.attention / 3};
}

SelectionCost selection_cost(const schedule::SelectSpec& select, const arch::ModelConfig& model,
                             std::int64_t windows, std::int64_t first_step, std::int64_t steps,
                             SelectionPlace& newest) {
  const std::int64_t end = first_step + steps, refresh = steps_of(select.refresh);
  const bool kept = newest.context == model.context;
  if (kept && refresh == 0) return {};
  const std::int64_t first = std::max(
      {first_step, steps_of(select.after), kept ? newest.features_step + refresh : first_step});
  if (first >= end) return {};
  const std::int64_t more = refresh > 0 ? (end - 1 - first) / refresh : 0;
  newest = {model.context, first + more * refresh, first + more * refresh};
  SelectionCost cost = selection_pass(select, model, windows);
  cost.passes = 1 + more;
  cost.flops *= static_cast<double>(cost.passes);
  cost.attention_flops *= static_cast<double>(cost.passes);
  return cost;
}

}  // namespace stagedtrain::plan
