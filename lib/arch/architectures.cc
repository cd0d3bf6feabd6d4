// The table of architectures.
#include "arch/architectures.h"

#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::arch {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> table = {
      {"gpt2", "learned positions, pre-LayerNorm, biases, GELU (tanh)", check_gpt2, gpt2_table,
       gpt2_ffn},
      {"llama", "rotary positions, pre-RMSNorm, no biases, SwiGLU, grouped queries", check_llama,
       llama_table, llama_ffn},
  };
  return table;
}

const Architecture& find_architecture(const std::string& name) {
  std::vector<std::string> names;
  for (const Architecture& architecture : architectures()) {
    if (architecture.name == name) return architecture;
    names.push_back(architecture.name);
  }
  throw usage_error("unknown architecture '{}'{}", name, suggestion(name, names));
}

ParamTable param_table(const ModelConfig& config) {
  return find_architecture(config.architecture).table(config);
}

}  // namespace stagedtrain::arch
