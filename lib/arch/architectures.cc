// Lists the architectures in one table, and finds one by its name.
#include "arch/architectures.h"

#include "arch/table_builder.h"
#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::arch {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> table = {
      {"gpt2",
       "learned positions, pre-LayerNorm, biases, GELU (tanh)",
       {.biases = true},
       check_gpt2,
       gpt2_ffn},
      {"llama",
       "rotary positions, pre-RMSNorm, no biases, SwiGLU, grouped queries",
       {.gated = true, .rotary = true},
       check_llama,
       llama_ffn},
      {"qwen2",
       "as llama, with biases of queries, keys and values",
       {.qkv_biases = true, .gated = true, .rotary = true},
       check_llama,
       llama_ffn},
      {"qwen3",
       "as llama, with an RMSNorm of each head's queries and keys",
       {.gated = true, .rotary = true, .head_norms = HeadNorms::each},
       check_llama,
       llama_ffn},
      {"olmo2",
       "as llama, with RMSNorms after the branches, and of all queries and of all keys",
       {.gated = true, .rotary = true, .norms_after = true, .head_norms = HeadNorms::together},
       check_llama,
       llama_ffn},
      {"olmoe",
       "as llama, with RMSNorms of all queries and of all keys; made for experts",
       {.gated = true, .rotary = true, .head_norms = HeadNorms::together},
       check_llama,
       llama_ffn},
      {"neox",
       "partly rotary positions, pre-LayerNorm, biases, GELU, parallel branches",
       {.biases = true, .rotary = true, .parallel = true, .exact_gelu = true},
       check_neox,
       gpt2_ffn},
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

const BlockStyle& block_style(const ModelConfig& config) {
  return find_architecture(config.architecture).style;
}

ParamTable param_table(const ModelConfig& config) {
  return transformer_table(config, block_style(config));
}

void refuse_grouped_queries(const ModelConfig& config) {
  if (config.kv_heads != config.heads)
    throw usage_error(
        "model.kv_heads is {}, expected {} (as many as heads): {} has no grouped queries",
        config.kv_heads, config.heads, config.architecture);
}

}  // namespace stagedtrain::arch
