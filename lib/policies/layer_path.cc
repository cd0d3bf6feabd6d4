// The policy layer_path: trains random paths through the layers (RaPTr, progressive subnetworks,
// arXiv 2402.05913).
//
// The layers named by `keep` always run. All others run with one probability, chosen so that
// `layers` layers run on average; a layer that does not run is the identity. A stage has equal
// parts, whose number of layers is given by `layers` and `then`. In the paper's schedule it rises,
// and the last part runs all layers.
#include <algorithm>

#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

bool keeps(const PolicyStage& stage, const char* which) {
  return std::ranges::find(stage.keys.layer_path->keep, which) != stage.keys.layer_path->keep.end();
}

bool is_kept(const PolicyStage& stage, std::int64_t layer) {
  return (layer == 0 && keeps(stage, "first")) ||
         (layer == stage.model.layers - 1 && keeps(stage, "last"));
}

std::int64_t count_kept(const PolicyStage& stage) {
  std::int64_t kept = is_kept(stage, 0) ? 1 : 0;
  if (stage.model.layers > 1 && is_kept(stage, stage.model.layers - 1)) ++kept;
  return kept;
}

std::int64_t count_parts(const PolicyStage& stage) {
  return 1 + static_cast<std::int64_t>(stage.keys.layer_path->then.size());
}

double layers_in_part(const PolicyStage& stage, std::int64_t part) {
  return part == 0 ? stage.keys.layer_path->layers
                   : stage.keys.layer_path->then[static_cast<std::size_t>(part - 1)];
}

double layers_at(const PolicyStage& stage, std::int64_t stage_step) {
  const std::int64_t last = count_parts(stage) - 1;
  return layers_in_part(stage, std::min(stage_step * (last + 1) / stage.steps, last));
}

double keep(const PolicyStage& stage, std::int64_t layer, std::int64_t stage_step) {
  if (is_kept(stage, layer)) return 1;
  const auto kept = static_cast<double>(count_kept(stage));
  return (layers_at(stage, stage_step) - kept) / (static_cast<double>(stage.model.layers) - kept);
}

// Returns the mean number of layers that run. Until the stage's steps are known, its parts count as
// equal, which they are except for rounding.
double mean_layers(const PolicyStage& stage) {
  const std::int64_t parts = count_parts(stage);
  const std::int64_t steps = stage.steps > 0 ? stage.steps : parts;
  const auto begin = [&](std::int64_t part) { return (part * steps + parts - 1) / parts; };
  double sum = 0;
  for (std::int64_t part = 0; part < parts; ++part)
    sum += layers_in_part(stage, part) * static_cast<double>(begin(part + 1) - begin(part));
  return sum / static_cast<double>(steps);
}

std::string refusal(const PolicyStage& stage) {
  const std::int64_t kept = count_kept(stage), layers = stage.model.layers;
  if (stage.keys.layer_path->keep.empty())
    return "keep: found no layer, expected first, last, or both: at least one layer must always "
           "run";
  if (std::ranges::count(stage.keys.layer_path->keep, stage.keys.layer_path->keep.front()) > 1)
    return fmt::format("keep: found {} twice, expected each once",
                       stage.keys.layer_path->keep.front());
  if (stage.steps > 0 && stage.steps < count_parts(stage))
    return fmt::format("then: found {} parts in all, expected at most {}, the steps of this stage",
                       count_parts(stage), stage.steps);
  for (std::int64_t part = 0; part < count_parts(stage); ++part) {
    const double number = layers_in_part(stage, part);
    if (number >= static_cast<double>(kept) && number <= static_cast<double>(layers)) continue;
    return fmt::format(
        "{}: found {}, expected {} (the layers that keep names) to {} (the layers of "
        "this stage's model)",
        part == 0 ? "layers" : "then", format_number(number), kept, layers);
  }
  return "";
}

std::string description(const PolicyStage& stage) {
  std::vector<std::string> numbers;
  for (std::int64_t part = 0; part < count_parts(stage); ++part)
    numbers.push_back(format_number(layers_in_part(stage, part)));
  std::string text = fmt::format(
      "random layer paths: {} of {} layers run on average, always the {}", join(numbers, ", then "),
      stage.model.layers, join(stage.keys.layer_path->keep, " and the "));
  if (stage.keys.layer_path->scale == schedule::PathScale::inverse_keep)
    text += "; branches are divided by the probability that they run";
  return text;
}

arch::StepWork work(const PolicyStage& stage, std::int64_t stage_step, const CounterRng& draws) {
  return drawn_layers(
      stage.model.layers, [&](std::int64_t layer) { return keep(stage, layer, stage_step); },
      stage.keys.layer_path->scale == schedule::PathScale::inverse_keep, draws);
}

}  // namespace

const Policy& layer_path() {
  static const Policy policy = {
      .key = "layer_path",
      .is_on = [](const schedule::Policies& keys) { return keys.layer_path.has_value(); },
      .mean_flops =
          [](const PolicyStage& stage, std::int64_t length) {
            return arch::mean_flops_per_token(stage.model, mean_layers(stage), length);
          },
      .chance = keep,
      .refusal = refusal,
      .description = description,
      .work = work,
      .draw = [](const schedule::Policies& keys) { return keys.layer_path->draw; }};
  return policy;
}

}  // namespace stagedtrain::plan
