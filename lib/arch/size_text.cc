// Formats a model's size and compares its proportions with a reference.
#include "arch/size_text.h"

#include <fmt/format.h>

#include "arch/loops.h"

namespace stagedtrain::arch {

std::string size_text(const ModelConfig& config, const ModelConfig& reference) {
  std::string text = fmt::format("{}x{}", config.layers, config.width);
  const auto add = [&](const char* key, std::int64_t value, bool differs) {
    if (differs) text += fmt::format("-{}{}", key, value);
  };
  const auto in_proportion = [&](const char* key, std::int64_t value, std::int64_t other) {
    add(key, value, value * reference.width != other * config.width);
  };
  in_proportion("heads", config.heads, reference.heads);
  in_proportion("kv_heads", config.kv_heads, reference.kv_heads);
  in_proportion("ffn", config.ffn, reference.ffn);
  add("head_dim", config.head_dim, config.head_dim != reference.head_dim);
  add("value_dim", config.value_dim, config.value_dim != reference.value_dim);
  add("experts", config.experts, config.experts != reference.experts);
  add("core", config.core, config.core != reference.core);
  add("passes", config.passes, config.passes != reference.passes);
  add("routed_every", config.routed_every, config.routed_every != reference.routed_every);
  return text;
}

std::string layers_by_width(const ModelConfig& config) {
  std::string text = fmt::format("{} x {}", config.layers, config.width);
  if (has_tied_cores(config)) text += fmt::format(" ({} run)", executed_layers(config));
  return text;
}

}  // namespace stagedtrain::arch
