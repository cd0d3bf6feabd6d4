// The table of architectures: a new one is one file and one line.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

struct Architecture {
  const char* name;
  const char* help;
  // Rules of this architecture alone; throws Error(usage).
  void (*check)(const ModelConfig&);
  ParamTable (*table)(const ModelConfig&);
};

const std::vector<Architecture>& architectures();
// Throws Error(usage) with the nearest name.
const Architecture& find_architecture(const std::string& name);

// The tensors of a resolved configuration.
ParamTable param_table(const ModelConfig& config);

// gpt2.cc
void check_gpt2(const ModelConfig& config);
ParamTable gpt2_table(const ModelConfig& config);

}  // namespace stagedtrain::arch
