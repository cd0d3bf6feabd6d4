// GPT-2: learned positions, pre-LayerNorm blocks with biases, GELU (tanh), tied head by default.
// Initialisation of the GPT-2 paper and code.
#include "arch/architectures.h"
#include "arch/table_builder.h"
#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::arch {

void check_gpt2(const ModelConfig& config) {
  if (config.kv_heads != config.heads)
    throw usage_error(
        "model.kv_heads is {}, expected {} (as many as heads): gpt2 has no grouped queries",
        config.kv_heads, config.heads);
  if (config.rope_theta != ModelConfig().rope_theta)
    throw usage_error("model.rope_theta is {}: gpt2 has learned positions, none that rotate",
                      format_number(config.rope_theta))
        .with_hint("leave it out, or choose architecture: llama");
}

std::int64_t gpt2_ffn(std::int64_t width) { return 4 * width; }

ParamTable gpt2_table(const ModelConfig& c) {
  TableBuilder b(c, {.biases = true});
  b.embed_tokens();
  b.embed_positions();
  for (int layer = 0; layer < c.layers; ++layer) {
    b.norm(layer, "norm_1");
    b.attention(layer);
    b.norm(layer, "norm_2");
    b.feed_forward(layer);
  }
  b.norm(-1, "final_norm", Role::final_norm);
  b.head();
  return std::move(b).table();
}

}  // namespace stagedtrain::arch
