// Resolves and describes parameterizations (arch/parameter_scales.h).
#include "plan/parameterization.h"

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "text/text.h"

namespace stagedtrain::plan {

arch::ModelConfig parameterized(const schedule::Schedule& s, arch::ModelConfig model) {
  if (s.parameterization) {
    arch::Parameterization& p = model.parameterization;
    p = *s.parameterization;
    if (p.scales_depth() && p.final_layers == 0) p.final_layers = arch::executed_layers(s.model);
  }
  return arch::resolved(std::move(model));
}

arch::ModelConfig parameterized_at(const Tree& place, const std::string& path,
                                   const schedule::Schedule& s, const arch::ModelConfig& model) {
  try {
    return parameterized(s, model);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    // Most messages begin with the key, as in "model.width is 0".
    const std::string what = error.what(), key = "model";
    const bool has_key = what.starts_with(key + ".") || what.starts_with(key + ":");
    throw place.error("{}", path + (has_key ? what.substr(key.size()) : ": " + what))
        .with_hint(error.hint());
  }
}

arch::ModelConfig model_with_keys(const Tree& place, const std::string& path,
                                  const schedule::Schedule& s) {
  arch::ModelConfig model = s.model;
  read_fields(place, model, path);
  const bool drops_routing = arch::has_routed_layers(s.model) && !arch::has_routed_layers(model);
  return drops_routing ? arch::without_routing(model) : model;
}

std::string parameterization_notes(const RunPlan& plan) {
  const arch::Parameterization& p = plan.final_model.parameterization;
  if (!p.scales_width()) return "";
  std::string rates;
  for (const StagePlan& stage : plan.stages)
    rates += fmt::format("{}x {:.3g} in {}", rates.empty() ? "" : ", ",
                         static_cast<double>(p.base_width) / static_cast<double>(stage.model.width),
                         stage.name);
  const std::string indent(15, ' ');
  std::string text = fmt::format(
      "scaled from    width {} (muP): learning rate of matrices that read the residual stream\n"
      "{}{}",
      p.base_width, indent, stagedtrain::wrapped(rates, 85, indent));
  if (p.scales_depth())
    text += fmt::format(
        "               {} layers (CompleteP): residual branches x {} / {} in every stage\n",
        p.base_layers, p.base_layers, p.final_layers);
  return text;
}

}  // namespace stagedtrain::plan
