// The factors of muP and CompleteP, as the papers' tables have them.
#include "arch/parameter_scales.h"

#include <cmath>

#include "arch/architectures.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

// Layers of heads of 16, with the architecture's default feed-forward.
ModelConfig model_of(const std::string& architecture, std::int64_t layers, std::int64_t width,
                     bool tied, Parameterization parameterization = {}) {
  return resolved({.architecture = architecture,
                   .layers = layers,
                   .width = width,
                   .heads = width / 16,
                   .vocab = 61,
                   .context = 24,
                   .tied = tied,
                   .parameterization = parameterization});
}

ParamSpec spec_of(const ModelConfig& model, const std::string& name) {
  const ParamTable table = param_table(model);
  const std::int64_t index = table.index(name);
  REQUIRE(index >= 0);
  return table[static_cast<std::size_t>(index)];
}

// Initial value, learning rate, decay and eps of a tensor, each divided by that of the base model.
struct Factors {
  double init, lr, decay, eps;
};
void check(const ModelConfig& model, const ModelConfig& base, const std::string& name,
           const Factors& wanted) {
  CAPTURE(describe(model), name);
  const ParamSpec spec = spec_of(model, name), plain = spec_of(base, name);
  CHECK(spec.init.value == Approx(plain.init.value * wanted.init).epsilon(1e-14));
  CHECK(spec.scales.lr == Approx(wanted.lr).epsilon(1e-14));
  CHECK(spec.scales.decay == Approx(wanted.decay).epsilon(1e-14));
  CHECK(spec.scales.eps == Approx(wanted.eps).epsilon(1e-14));
}

}  // namespace

TEST_CASE("a model of the base size is as it would be without a parameterization") {
  for (const Architecture& architecture : architectures()) {
    const ModelConfig plain = model_of(architecture.name, 2, 64, false),
                      scaled = model_of(architecture.name, 2, 64, false, {64, 2, 2});
    const ParamTable table = param_table(plain), same = param_table(scaled);
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(architecture.name, table[i].name);
      CHECK(same[i].init.value == table[i].init.value);
      CHECK(same[i].scales == StepScales{});
    }
  }
}

TEST_CASE("width scales by muP's table") {
  const Parameterization p{.base_width = 64};
  const double r = 4;
  const Factors matrix{1 / std::sqrt(r), 1 / r, r, 1 / r}, vector{1, 1, 1, 1 / r},
      readout{1 / r, 1 / r, r, 1};
  const ModelConfig base = model_of("gpt2", 2, 64, true), large = model_of("gpt2", 2, 256, true, p);
  for (const char* key : {"attention.query", "attention.key", "attention.value", "attention.output",
                          "mlp.up", "mlp.down"}) {
    check(large, base, layer_name(1, std::string(key) + ".weight"), matrix);
    check(large, base, layer_name(1, std::string(key) + ".bias"), vector);
  }
  for (const char* name : {"embed.token", "embed.position", "layers.0.norm_1.weight"})
    check(large, base, name, vector);
  check(large, base, "final_norm.weight", readout);
  check(large, base, "final_norm.bias", readout);

  const ModelConfig untied = model_of("llama", 2, 256, false, p),
                    untied_base = model_of("llama", 2, 64, false);
  check(untied, untied_base, "head.weight", readout);
  check(untied, untied_base, "final_norm.weight", vector);
  check(untied, untied_base, "layers.0.mlp.gate.weight", matrix);
  // One gain for all heads: its gradient is the sum of theirs.
  check(model_of("qwen3", 2, 256, true, p), model_of("qwen3", 2, 64, true),
        "layers.0.attention.query_norm.weight", {1, 1, 1, 1});
}

TEST_CASE("a matrix counts its own inputs") {
  ModelConfig large = model_of("gpt2", 2, 64, true, {.base_width = 64});
  large.ffn *= 2;
  const ModelConfig base = model_of("gpt2", 2, 64, true);
  check(large, base, "layers.0.mlp.down.weight", {1 / std::sqrt(2.0), 0.5, 2, 1});
  check(large, base, "layers.0.mlp.up.weight", {1, 1, 1, 0.5});
  check(large, base, "layers.0.attention.output.weight", {1, 1, 1, 1});
}

TEST_CASE("depth scales by CompleteP's table, folded into what ends a branch") {
  const double m = 2.0 / 8;
  const ModelConfig base = model_of("gpt2", 2, 64, true);
  for (const std::int64_t layers : {4, 8}) {  // the final depth counts, not the present one
    const ModelConfig deep = model_of("gpt2", layers, 64, true, {64, 2, 8});
    for (const char* key : {"attention.output", "mlp.down"}) {
      check(deep, base, layer_name(1, std::string(key) + ".weight"), {m, m, 1 / m, 1});
      check(deep, base, layer_name(1, std::string(key) + ".bias"), {m, m, 1 / m, 1});
    }
    check(deep, base, "layers.1.mlp.up.weight", {1, 1, 1, m});
    check(deep, base, "layers.1.norm_2.bias", {1, 1, 1, m});
    check(deep, base, "embed.token", {1, 1, 1, 1});
    check(deep, base, "final_norm.weight", {1, 1, 1, 1});
  }
  // The norm behind a branch ends it.
  const ModelConfig after = model_of("olmo2", 8, 64, true, {64, 2, 8}),
                    after_base = model_of("olmo2", 2, 64, true);
  check(after, after_base, "layers.0.norm_1.weight", {m, m, 1 / m, 1});
  check(after, after_base, "layers.0.attention.output.weight", {1, 1, 1, m});
}

TEST_CASE("a router learns as a head does") {
  ModelConfig large = model_of("llama", 2, 256, true, {.base_width = 64});
  large.experts = 4;
  ModelConfig base = model_of("llama", 2, 64, true);
  base.experts = 4;
  check(large, base, "layers.0.mlp.router.weight", {0.25, 0.25, 4, 1});
  check(large, base, "layers.0.mlp.experts.3.down.weight", {0.5, 0.25, 4, 0.25});
}
