// Which architectures are there? A new one needs one .cc file and one line in the table.
#pragma once

#include <string>
#include <vector>

#include "arch/block_style.h"
#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// One row of the table of architectures.
struct Architecture {
  const char* name;
  const char* help;  // one line
  BlockStyle style;
  // Throws Error(usage) if a configuration violates the rules of this architecture. General rules
  // are checked by resolved().
  void (*check)(const ModelConfig&);
  // Returns the hidden size of a feed-forward if the configuration does not give one.
  std::int64_t (*default_ffn)(std::int64_t width);
};

const std::vector<Architecture>& architectures();
// Returns the architecture of this name. Throws Error(usage) with the nearest name if there is
// none.
const Architecture& find_architecture(const std::string& name);

// Returns the block style of a configuration's architecture. Throws Error(usage) if that is
// unknown.
const BlockStyle& block_style(const ModelConfig& config);
// Returns the table of all tensors of a resolved configuration.
ParamTable param_table(const ModelConfig& config);

// Throws Error(usage) unless kv_heads equals heads, for architectures without grouped queries.
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
