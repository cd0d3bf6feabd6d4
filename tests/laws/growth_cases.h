// Every growth that the laws are checked on: operators x their options x architectures x tied or
// not x factors. A new operator needs one line here (a test says so), a new architecture none.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "arch/architectures.h"
#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/temp_dir.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {

// Options as YAML; $k stands for the factor, $other for a file with another state of the model.
// Each list covers every choice of every option. "grouped|" stands before those of models with
// grouped queries alone.
inline const std::map<std::string, std::vector<std::string>>& operator_options() {
  static const std::map<std::string, std::vector<std::string>> options = {
      {"width",
       {"factor: $k, symmetry: {noise: 0}, moments: equivariant",
        "factor: $k, moments: equivariant", "factor: $k", "factor: $k, axes: [residual]",
        "factor: $k, axes: [heads], symmetry: {noise: 0}, moments: equivariant",
        "factor: $k, axes: [ffn]", "factor: $k, axes: [ffn, heads], symmetry: {noise: 0}",
        "factor: $k, symmetry: {noise: 0}, moments: copy",
        "factor: $k, symmetry: {noise: 0}, moments: reset"}},
      {"clone",
       {"factor: $k, symmetry: {noise: 0}, moments: equivariant",
        "factor: $k, symmetry: {noise: 0.02}, moments: equivariant", "factor: $k",
        "factor: $k, symmetry: {noise: 0}",
        "factor: 2, symmetry: {noise: 0}, mixing: [[0.75, 0.25], [0.25, 0.75]], moments: "
        "equivariant",
        "factor: 2, symmetry: {noise: 0}, mixing: [[0.75, 0.25], [0.5, 0.5]], moments: "
        "equivariant",
        "factor: 2, copies: random, axes: [ffn], symmetry: {noise: 0}, moments: equivariant",
        "factor: 3, copies: random, axes: [ffn, heads], symmetry: {noise: 0, seed: 1}, moments: "
        "equivariant",  // of another seed copies may be even, which norms allow
        "factor: 2, copies: random", "factor: 2, copies: next_layer, symmetry: {noise: 0}",
        "factor: 3, copies: next_layer, axes: [ffn], moments: copy"}},
      {"depth",
       {"factor: $k", "factor: $k, moments: copy", "factor: $k, order: append", "layers: 5",
        "layers: 5, order: append, moments: copy", "factor: $k, new_layers: copied",
        "layers: 5, new_layers: copied, order: append, moments: copy", "layers: 5, order: last",
        "layers: [0, 0, 1, 1, 1]", "layers: 3, new_layers: random", "layers: 4, order: middle",
        "layers: 6, order: last, block: 2, moments: copy",
        "layers: 5, new_layers: mean, moments: copy", "layers: 4, order: overlap",
        "layers: 5, new_layers: slerp, moments: copy", "layers: 4, new_layers: slerp",
        "layers: 5, new_layers: predicted, moments: copy", "layers: 4, new_layers: predicted",
        "layers: 5, new_layers: copied, scale: 0.5, moments: copy"}},
      {"stack", {"factor: $k", "layers: 5, new_layers: zero_output", "layers: 5, moments: copy"}},
      {"llama_pro", {"groups: 2", "groups: 1, per_group: $k"}},
      {"rms_copy",
       {"width: 24, heads: 8, ffn: 40", "width: 31, ramp: 3", "ffn: 33", "heads: 8",
        "width: 36, symmetry: {noise: 0.02}, moments: equivariant",
        "ffn: 47, copies: random, moments: equivariant", "width: 31, ffn: 33, copies: next_layer"}},
      {"lemon",
       {"width: 24, heads: 8, ffn: 40, layers: 3, symmetry: {noise: 0}", "width: 31", "ffn: 47",
        "width: 41, ffn: 47, layers: 5, heads: 12", "width: 13, symmetry: {noise: 0}",
        "heads: 12, symmetry: {noise: 0}", "head_dim: 12", "value_dim: 9",
        "width: 24, dynamics: exact"}},
      {"expand",
       {"ffn: 27", "heads: 8", "width: 17", "head_dim: 12", "value_dim: 7",
        "grouped|head_dim: 8, value_dim: 4", "layers: 4", "grouped|kv_heads: 4, heads: 12",
        "grouped|kv_heads: 4", "grouped|heads: 8, kv_heads: 2",
        "width: 19, ffn: 25, heads: 8, head_dim: 12, layers: 3",
        "width: 17, ffn: 27, layers: 3, shrink: 0.4, noise: 0.5"}},
      {"ligo",
       {"layers: 4, fit: {steps: 0}", "layers: 5, order: alternate, fit: {steps: 0}",
        "width: 24, heads: 8, ffn: 40, fit: {steps: 0}, moments: equivariant",
        "width: 31, fit: {steps: 0}", "ffn: 47, fit: {steps: 0}, moments: reset_new",
        "width: 24, heads: 8, ffn: 40, layers: 4, fit: {steps: 0}, moments: copy"}},
      {"mango",
       {"layers: 4, fit: {steps: 0}", "width: 24, fit: {steps: 0}, moments: equivariant",
        "width: 30, layers: 5, order: alternate, fit: {steps: 0}, moments: reset_new",
        "width: 24, layers: 4, rank: 2, fit: {steps: 0}, moments: copy"}},
      {"mask",
       {"width: 19", "ffn: 27", "heads: 8", "layers: 3", "value_dim: 9",
        "width: 24, heads: 8, ffn: 31, layers: 3, steps: 4", "grouped|heads: 8, kv_heads: 2"}},
      {"untie",
       {"dynamics: plain", "moments: copy", "moments: reset_new", "moments: reset",
        "dynamics: exact"}},
      {"passes",
       {"factor: $k", "factor: $k, order: append, moments: copy", "factor: $k, moments: reset"}},
      {"route",
       {"every: 1, share: 1, base: 2, gain: 0", "every: 2, base: 2, gain: 0.05, moments: copy",
        "every: 2, labels: similarity, loss: 0, base: 1.5",
        "every: 1, share: 1, base: 2, moments: reset"}},
      {"upcycle", {"experts: 4", "experts: 3, experts_per_token: 1, symmetry: {noise: 0.1}"}},
      {"experts",
       {"factor: $k, symmetry: {noise: 0}, moments: equivariant",
        "factor: 2, experts_per_token: 4, symmetry: {noise: 0}, moments: equivariant",
        "factor: 3, experts_per_token: 6, symmetry: {noise: 0}, moments: equivariant",
        "factor: 2, experts_per_token: 4, symmetry: {noise: 0}, moments: reset_new",
        "factor: 2, experts_per_token: 3, symmetry: {noise: 0}", "factor: 2",
        "factor: 2, experts_per_token: 4"}},
      {"merge", {"with: [$other]", "with: [$other, $other], moments: reset"}},
      {"coalesce", {"width: 2, layers: 2", "layers: 2", "width: 2, layers: 1, moments: copy"}},
      {"corner", {"factor: 2", "factor: 2, moments: copy", "factor: 2, dynamics: exact"}},
      {"decoalesce",
       {"width: $k, layers: 1", "width: 2, layers: 2", "width: 1, layers: 3",
        "width: $k, layers: 1, symmetry: {noise: 0.02}"}},
      {"interpolate", {"with: $other", "with: $other, share: 0.25"}},
      {"vocabulary", {"size: 15", "size: 12, symmetry: {noise: 0}"}},
      {"context", {"length: 9", "length: 14, positions: tile", "length: 9, positions: random"}},
  };
  return options;
}

// A state away from its initialisation: no bias is zero, no norm one.
inline state::TrainingState law_state(const arch::ModelConfig& model,
                                      state::DType dtype = state::DType::f64,
                                      std::uint64_t seed = 11) {
  state::TrainingState state = tiny_state(3, dtype, model);
  std::vector<state::HostTensor>& weights = state.of(state::TensorKind::weights);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const CounterRng rng(seed, i);
    for (std::int64_t j = 0; j < weights[i].count(); ++j)
      weights[i].set(j, weights[i].at(j) + 0.25 * rng.normal(static_cast<std::uint64_t>(j)));
  }
  return state;
}

// The file of another state of the model, for operators that take several.
inline std::string other_file(const arch::ModelConfig& model) {
  static const TempDir dir;
  const Path path = dir / fmt::format("{}.h5", hash_name(describe(model)));
  if (!std::filesystem::exists(path)) state::save(path, law_state(model, state::DType::f64, 12));
  return path.string();
}

inline std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  for (std::size_t at; (at = text.find(mark)) != std::string::npos;)
    text.replace(at, mark.size(), by);
  return text;
}

struct GrowthCase {
  std::string list;  // of operators, as a schedule has it
  arch::ModelConfig from;
  grow::GrowthRecipe recipe() const {
    const std::string text = list.find("$other") == std::string::npos
                                 ? list
                                 : replaced(list, "$other", other_file(from));
    return grow::make_recipe(schedule::parse_yaml(text, ""), from, "grow");
  }
  std::string name() const { return list + " of " + describe(from); }
};

inline std::string growth_list(const std::string& name, const std::string& options, int k) {
  const std::string own = options.substr(options.find('|') + 1);
  return "[{operator: " + name + ", " + replaced(own, "$k", std::to_string(k)) + "}]";
}

// Whether mango can cut the matrices into parts of width x width.
inline bool is_cut_in_squares(const arch::ModelConfig& model) {
  return model.architecture == "gpt2" && model.experts == 0 && model.ffn % model.width == 0;
}

// What applies to models with a looped core: operators that keep the layers, and the stream whole.
inline bool applies_to_looped(const std::string& name, const std::string& options,
                              const arch::ModelConfig& model) {
  if (name == "untie") return model.tied_cores;
  if (name == "expand") return options.starts_with("ffn:") || options.starts_with("heads:");
  if (name == "clone") return options.find("copies:") == std::string::npos;
  return name == "width" || name == "passes" || name == "upcycle" || name == "vocabulary" ||
         name == "context" || name == "interpolate";
}

// What applies to models with routed layers: operators that leave each layer routed or not.
inline bool applies_to_routed(const std::string& name, const std::string& options,
                              const arch::ModelConfig& model) {
  const auto is = [&](std::initializer_list<std::string> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is({"ligo", "mango", "mask", "merge", "coalesce", "decoalesce"})) return false;
  if (is({"route", "upcycle", "experts"})) return false;
  if (model.routed_every == 1 || is({"width", "clone", "rms_copy", "interpolate"})) return true;
  if (is({"vocabulary", "context", "stack"})) return true;
  const auto has = [&](const char* what) { return options.find(what) != std::string::npos; };
  if (name == "depth") return has("append") || has("block: 2") || has("middle") || has("overlap");
  return !has("layers:") && name != "llama_pro";
}

// Experts are made of dense models only, and multiplied where there are some. Cores are untied and
// run more often where there is one.
inline bool applies(const std::string& name, const std::string& options,
                    const arch::ModelConfig& model) {
  const std::size_t bar = options.find('|');
  const bool looped = model.core > 0;
  if (looped ? !applies_to_looped(name, options, model) : name == "untie" || name == "passes")
    return false;
  if (model.routed_every > 0 && !applies_to_routed(name, options, model)) return false;
  if (name == "route" && (model.experts > 0 || looped)) return false;
  return (bar == std::string::npos || model.kv_heads < model.heads) &&
         !(name == "upcycle" && model.experts > 0) && !(name == "experts" && model.experts == 0) &&
         !(name == "mango" && !is_cut_in_squares(model));
}

// Growths that norms of queries and keys would see (head_growth.h).
inline bool refused(const std::string& name, const std::string& options,
                    const arch::ModelConfig& model) {
  const arch::HeadNorms norms = arch::block_style(model).head_norms;
  if (norms == arch::HeadNorms::none) return false;
  const auto has = [&](const std::string& key) {
    return options.starts_with(key) || options.find("|" + key) != std::string::npos ||
           options.find(" " + key) != std::string::npos;
  };
  if (has("head_dim:")) return true;
  if (has("copies: random") && norms == arch::HeadNorms::together)
    return name == "clone" && !has("axes: [ffn],");
  return norms == arch::HeadNorms::together && has("heads:") &&
         (name == "expand" || name == "mask");
}

// Grouped queries where there are such; routers of four experts, of which a token has two. The
// load-balancing loss is of all layers together, so no growth of layers keeps its gradient: out.
inline arch::ModelConfig law_model(const std::string& architecture, bool tied,
                                   std::int64_t experts) {
  arch::ModelConfig model;
  model.architecture = architecture;
  model.layers = 2;
  model.width = 12;
  model.heads = 2;
  model.ffn = 20;
  model.vocab = 11;
  model.context = 7;
  model.tied = tied;
  model.experts = experts;
  model.router_loss = 0;
  model.norm_topk = architecture != "olmoe" || experts == 0;
  if (architecture != "gpt2") {
    model.heads = 4;
    model.head_dim = 4;
    model.rope_theta = 100;
  }
  if (architecture == "neox") {
    model.rotary_share = 0.5;
  } else if (architecture != "gpt2") {
    model.kv_heads = 2;
  }
  return model;
}

// A model of each architecture, tied and untied, dense and with experts, and a gpt2 whose
// feed-forward is twice its width. A large norm_eps exposes a wrong rule for it.
inline std::vector<arch::ModelConfig> law_models(double norm_eps = 1e-2) {
  std::vector<arch::ModelConfig> models;
  for (const arch::Architecture& architecture : arch::architectures()) {
    for (const auto& [tied, experts] :
         std::vector<std::pair<bool, std::int64_t>>{{true, 0}, {false, 0}, {true, 4}}) {
      arch::ModelConfig model = law_model(architecture.name, tied, experts);
      model.norm_eps = norm_eps;
      models.push_back(arch::resolved(model));
    }
  }
  arch::ModelConfig squares = law_model("gpt2", true, 0);
  squares.ffn = 2 * squares.width;
  squares.norm_eps = norm_eps;
  models.push_back(arch::resolved(squares));
  return models;
}

// Models with a looped core, tied and untied: LayerNorms with a prelude alone, RMSNorms with a
// coda.
inline std::vector<arch::ModelConfig> looped_models(double norm_eps = 1e-2) {
  std::vector<arch::ModelConfig> models;
  for (const char* architecture : {"gpt2", "llama"})
    for (const bool tied_cores : {true, false}) {
      arch::ModelConfig model = law_model(architecture, true, 0);
      model.norm_eps = norm_eps;
      model.core = model.prelude = 1;
      model.coda = model.architecture == "llama" ? 1 : 0;
      model.passes = 3;
      model.tied_cores = tied_cores;
      model.layers = model.prelude + model.coda + (tied_cores ? 1 : 3);
      model.boundary_alpha = 0.7;
      models.push_back(arch::resolved(model));
    }
  return models;
}
// Models with routed layers: LayerNorms with every second one, RMSNorms with all of them. The
// routers' loss is a mean over layers, so no growth of layers keeps its gradient: out.
inline std::vector<arch::ModelConfig> routed_models(double norm_eps = 1e-2) {
  std::vector<arch::ModelConfig> models;
  for (const char* architecture : {"gpt2", "llama"}) {
    arch::ModelConfig model = law_model(architecture, true, 0);
    model.norm_eps = norm_eps;
    model.routed_every = model.architecture == "gpt2" ? 2 : 1;
    model.routed_share = 0.6;
    model.routed_loss = 0;
    model.routed_base = 1.4;
    models.push_back(arch::resolved(model));
  }
  return models;
}
inline std::vector<arch::ModelConfig> all_models(double norm_eps = 1e-2) {
  std::vector<arch::ModelConfig> models = law_models(norm_eps);
  for (const arch::ModelConfig& model : looped_models(norm_eps)) models.push_back(model);
  for (const arch::ModelConfig& model : routed_models(norm_eps)) models.push_back(model);
  return models;
}

inline std::vector<GrowthCase> growth_cases(double norm_eps = 1e-2, bool refused_ones = false) {
  std::vector<GrowthCase> cases;
  for (const auto& [name, all] : operator_options())
    for (const std::string& options : all)
      for (const arch::ModelConfig& model : all_models(norm_eps))
        for (const int k : {2, 3})
          if (applies(name, options, model) && refused(name, options, model) == refused_ones &&
              (k == 2 || options.find("$k") != std::string::npos))
            cases.push_back({growth_list(name, options, k), model});
  return cases;
}

}  // namespace stagedtrain::test
