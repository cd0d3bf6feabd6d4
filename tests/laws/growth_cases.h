// Every growth that the laws are checked on: operators x their options x architectures x tied or
// not x factors. A new operator needs one line here (a test says so), a new architecture none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arch/architectures.h"
#include "base/rng.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {

// Options as YAML; $k stands for the factor. Each list covers every choice of every option.
inline const std::map<std::string, std::vector<std::string>>& operator_options() {
  static const std::map<std::string, std::vector<std::string>> options = {
      {"width",
       {"factor: $k, symmetry: {noise: 0}", "factor: $k", "factor: $k, axes: [residual]",
        "factor: $k, axes: [heads], symmetry: {noise: 0}", "factor: $k, axes: [ffn]",
        "factor: $k, axes: [ffn, heads], symmetry: {noise: 0}, moments: reset_new",
        "factor: $k, symmetry: {noise: 0}, moments: copy",
        "factor: $k, symmetry: {noise: 0}, moments: reset"}},
      {"clone",
       {"factor: $k, symmetry: {noise: 0}", "factor: $k, symmetry: {noise: 0.02}",
        "factor: $k, symmetry: {noise: 0}, moments: reset_new",
        "factor: 2, symmetry: {noise: 0}, mixing: [[0.75, 0.25], [0.25, 0.75]]",
        "factor: 2, symmetry: {noise: 0}, mixing: [[0.75, 0.25], [0.5, 0.5]]"}},
      {"depth",
       {"factor: $k", "factor: $k, moments: copy", "factor: $k, order: append", "layers: 5",
        "layers: 5, order: append, moments: copy", "factor: $k, new_layers: copied",
        "layers: 5, new_layers: copied, order: append, moments: copy", "layers: 5, order: last",
        "layers: [0, 0, 1, 1, 1]", "layers: 3, new_layers: random"}},
      {"stack", {"factor: $k", "layers: 5, new_layers: zero_output", "layers: 5, moments: copy"}},
      {"llama_pro", {"groups: 2", "groups: 1, per_group: $k"}},
  };
  return options;
}

struct GrowthCase {
  std::string list;  // of operators, as a schedule has it
  arch::ModelConfig from;
  grow::GrowthRecipe recipe() const {
    return grow::make_recipe(schedule::parse_yaml(list, ""), from, "grow");
  }
  std::string name() const { return list + " of " + describe(from); }
};

inline std::string growth_list(const std::string& name, std::string options, int k) {
  for (std::size_t at; (at = options.find("$k")) != std::string::npos;)
    options.replace(at, 2, std::to_string(k));
  return "[{operator: " + name + ", " + options + "}]";
}

// A model of each architecture, tied and untied. A large norm_eps exposes a wrong rule for it.
inline std::vector<arch::ModelConfig> law_models(double norm_eps = 1e-2) {
  std::vector<arch::ModelConfig> models;
  for (const arch::Architecture& architecture : arch::architectures()) {
    for (const bool tied : {true, false}) {
      arch::ModelConfig model;
      model.architecture = architecture.name;
      model.layers = 2;
      model.width = 12;
      model.heads = 2;
      model.ffn = 20;
      model.vocab = 11;
      model.context = 7;
      model.tied = tied;
      model.norm_eps = norm_eps;
      models.push_back(arch::resolved(model));
    }
  }
  return models;
}

inline std::vector<GrowthCase> growth_cases(double norm_eps = 1e-2) {
  std::vector<GrowthCase> cases;
  for (const auto& [name, all] : operator_options())
    for (const std::string& options : all)
      for (const arch::ModelConfig& model : law_models(norm_eps))
        for (const int k : {2, 3}) cases.push_back({growth_list(name, options, k), model});
  return cases;
}

// A state away from its initialisation: no bias is zero, no norm one.
inline state::TrainingState law_state(const arch::ModelConfig& model,
                                      state::DType dtype = state::DType::f64) {
  state::TrainingState state = tiny_state(3, dtype, model);
  std::vector<state::HostTensor>& weights = state.of(state::Kind::weights);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const CounterRng rng(11, i);
    for (std::int64_t j = 0; j < weights[i].count(); ++j)
      weights[i].set(j, weights[i].at(j) + 0.25 * rng.normal(static_cast<std::uint64_t>(j)));
  }
  return state;
}

}  // namespace stagedtrain::test
