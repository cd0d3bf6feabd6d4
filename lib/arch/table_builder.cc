// Adds the tensors of a transformer in the order of its parameter table.
#include "arch/table_builder.h"

#include <cmath>

#include "arch/parameter_scales.h"
#include "arch/routed_layers.h"

namespace stagedtrain::arch {
namespace {

constexpr double kInitStd = 0.02;
constexpr Init kNormal{Init::Kind::normal, kInitStd};
constexpr Init kOne{Init::Kind::constant, 1.0}, kZero{Init::Kind::constant, 0.0};

}  // namespace

TableBuilder::TableBuilder(const ModelConfig& config, const BlockStyle& style)
    : c_(config),
      style_(style),
      residual_{Axis::residual, config.width},
      query_{Axis::query, config.heads * config.head_dim},
      key_{Axis::key, config.kv_heads * config.head_dim},
      value_{Axis::value, config.kv_heads * config.value_dim},
      heads_{Axis::heads, config.heads * config.value_dim},
      ffn_{Axis::ffn, config.ffn},
      vocab_{Axis::vocab, config.vocab},
      entry_{Axis::entry, config.head_dim} {}

void TableBuilder::add(int layer, const std::string& key, Role role, std::vector<AxisSize> axes,
                       Init init) {
  const bool decays = axes.size() == 2;
  const std::string name = layer < 0 ? key : layer_name(layer, key);
  specs_.push_back({name, key, layer, role, std::move(axes), decays, init, expert_});
  parameterize(c_, specs_.back());
}

void TableBuilder::linear(int layer, const std::string& key, Role role, AxisSize out, AxisSize in,
                          bool bias) {
  const double layers = static_cast<double>(initial_layers(c_));
  const double std = role == Role::residual_out ? kInitStd / std::sqrt(2.0 * layers) : kInitStd;
  add(layer, key + ".weight", role, {out, in}, {Init::Kind::normal, std});
  if (bias) add(layer, key + ".bias", role == Role::matrix ? Role::bias : role, {out}, kZero);
}

void TableBuilder::embed_tokens() {
  add(-1, "embed.token", Role::embed, {vocab_, residual_}, kNormal);
}

void TableBuilder::embed_positions() {
  add(-1, "embed.position", Role::embed, {{Axis::position, c_.context}, residual_}, kNormal);
}

void TableBuilder::norm(int layer, const std::string& key, Role role) {
  add(layer, key + ".weight", role, {residual_}, kOne);
  if (style_.biases) add(layer, key + ".bias", role, {residual_}, kZero);
}

void TableBuilder::attention(int layer) {
  const bool biases = style_.biases || style_.qkv_biases;
  linear(layer, "attention.query", Role::matrix, query_, residual_, biases);
  linear(layer, "attention.key", Role::matrix, key_, residual_, biases);
  linear(layer, "attention.value", Role::matrix, value_, residual_, biases);
  if (style_.head_norms != HeadNorms::none) {
    head_norm(layer, "attention.query_norm", query_);
    head_norm(layer, "attention.key_norm", key_);
  }
  linear(layer, "attention.output", output_role(), residual_, heads_, style_.biases);
}

void TableBuilder::head_norm(int layer, const std::string& key, AxisSize all) {
  const AxisSize axis = style_.head_norms == HeadNorms::each ? entry_ : all;
  add(layer, key + ".weight", Role::head_norm, {axis}, kOne);
}

void TableBuilder::expert(int layer, int number, const std::string& prefix) {
  expert_ = number;
  if (style_.gated) linear(layer, prefix + "gate", Role::matrix, ffn_, residual_, style_.biases);
  linear(layer, prefix + "up", Role::matrix, ffn_, residual_, style_.biases);
  linear(layer, prefix + "down", output_role(), residual_, ffn_, style_.biases);
  expert_ = -1;
}

void TableBuilder::feed_forward(int layer) {
  if (c_.experts == 0) return expert(layer, -1, "mlp.");
  add(layer, "mlp.router.weight", Role::matrix, {{Axis::experts, c_.experts}, residual_}, kNormal);
  for (int i = 0; i < c_.experts; ++i) expert(layer, i, "mlp.experts." + std::to_string(i) + ".");
}

void TableBuilder::token_router(int layer) {
  if (is_routed(c_, layer))
    add(layer, kTokenRouter, Role::matrix, {{Axis::experts, 1}, residual_}, kZero);
}

void TableBuilder::head() {
  if (!c_.tied) add(-1, "head.weight", Role::head, {vocab_, residual_}, kNormal);
}

void TableBuilder::block(int layer) {
  const Role role = style_.norms_after ? Role::branch_norm : Role::norm;
  norm(layer, "norm_1", role);
  attention(layer);
  norm(layer, "norm_2", role);
  feed_forward(layer);
  token_router(layer);
}

ParamTable transformer_table(const ModelConfig& config, const BlockStyle& style) {
  TableBuilder builder(config, style);
  builder.embed_tokens();
  if (!style.rotary) builder.embed_positions();
  for (int layer = 0; layer < config.layers; ++layer) builder.block(layer);
  builder.norm(-1, "final_norm", Role::final_norm);
  builder.head();
  return std::move(builder).table();
}

}  // namespace stagedtrain::arch
