// GPT-2: learned positions, pre-LayerNorm blocks with biases, GELU (tanh), tied head by default.
// Initialisation of the GPT-2 paper and code: 0.02, residual outputs 0.02 / sqrt(2 * layers).
#include <cmath>

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::arch {
namespace {

constexpr double kInitStd = 0.02;
constexpr Init kOne{Init::Kind::constant, 1.0}, kZero{Init::Kind::constant, 0.0};

struct Builder {
  std::vector<ParamSpec> specs;

  void add(int layer, const std::string& key, Role role, std::vector<AxisSize> axes, Init init) {
    const bool decays = axes.size() == 2;
    const std::string name = layer < 0 ? key : layer_name(layer, key);
    specs.push_back({name, key, layer, role, std::move(axes), decays, init});
  }
  void norm(int layer, const std::string& key, Role role, AxisSize residual) {
    add(layer, key + ".weight", role, {residual}, kOne);
    add(layer, key + ".bias", role, {residual}, kZero);
  }
  void linear(int layer, const std::string& key, Role role, AxisSize out, AxisSize in, double std) {
    add(layer, key + ".weight", role, {out, in}, {Init::Kind::normal, std});
    add(layer, key + ".bias", role == Role::matrix ? Role::bias : role, {out}, kZero);
  }
};

}  // namespace

void check_gpt2(const ModelConfig& config) {
  if (config.kv_heads != config.heads)
    throw usage_error(
        "model.kv_heads is {}, expected {} (as many as heads): gpt2 has no grouped queries",
        config.kv_heads, config.heads);
}

// Tensor names follow y = W x + b with W (out, in); query, key and value stand side by side.
ParamTable gpt2_table(const ModelConfig& c) {
  const AxisSize residual{Axis::residual, c.width}, ffn{Axis::ffn, c.ffn};
  const AxisSize query{Axis::query, c.heads * c.head_dim}, heads{Axis::heads, query.size};
  const AxisSize key{Axis::key, c.kv_heads * c.head_dim}, value{Axis::value, key.size};
  const AxisSize vocab{Axis::vocab, c.vocab}, position{Axis::position, c.context};
  const double out_std = kInitStd / std::sqrt(2.0 * static_cast<double>(c.layers));
  Builder b;
  b.add(-1, "embed.token", Role::embed, {vocab, residual}, {Init::Kind::normal, kInitStd});
  b.add(-1, "embed.position", Role::embed, {position, residual}, {Init::Kind::normal, kInitStd});
  for (int layer = 0; layer < c.layers; ++layer) {
    b.norm(layer, "norm_1", Role::norm, residual);
    b.linear(layer, "attention.query", Role::matrix, query, residual, kInitStd);
    b.linear(layer, "attention.key", Role::matrix, key, residual, kInitStd);
    b.linear(layer, "attention.value", Role::matrix, value, residual, kInitStd);
    b.linear(layer, "attention.output", Role::residual_out, residual, heads, out_std);
    b.norm(layer, "norm_2", Role::norm, residual);
    b.linear(layer, "mlp.up", Role::matrix, ffn, residual, kInitStd);
    b.linear(layer, "mlp.down", Role::residual_out, residual, ffn, out_std);
  }
  b.norm(-1, "final_norm", Role::final_norm, residual);
  if (!c.tied)
    b.add(-1, "head.weight", Role::head, {vocab, residual}, {Init::Kind::normal, kInitStd});
  return ParamTable(std::move(b.specs));
}

}  // namespace stagedtrain::arch
