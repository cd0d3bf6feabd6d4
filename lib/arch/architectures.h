// The table of architectures: a new one is one file and one line.
#pragma once

#include <string>
#include <vector>

#include "arch/block_style.h"
#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

struct Architecture {
  const char* name;
  const char* help;
  BlockStyle style;
  // Rules of this architecture alone; throws Error(usage).
  void (*check)(const ModelConfig&);
  // Hidden units of a feed-forward where the configuration names none.
  std::int64_t (*default_ffn)(std::int64_t width);
};

const std::vector<Architecture>& architectures();
// Throws Error(usage) with the nearest name.
const Architecture& find_architecture(const std::string& name);

// How the blocks of a configuration's architecture are built.
const BlockStyle& block_style(const ModelConfig& config);
// The tensors of a resolved configuration.
ParamTable param_table(const ModelConfig& config);

// Throws Error(usage) unless every head has keys and values of its own.
void refuse_grouped_queries(const ModelConfig& config);

// gpt2.cc
void check_gpt2(const ModelConfig& config);
std::int64_t gpt2_ffn(std::int64_t width);
// llama.cc
void check_llama(const ModelConfig& config);
std::int64_t llama_ffn(std::int64_t width);
// neox.cc
void check_neox(const ModelConfig& config);

}  // namespace stagedtrain::arch
