// LLaMA: rotary positions, pre-RMSNorm blocks without biases, SwiGLU, grouped queries. RMSNorm has
// weights only. Rotation is that of `transformers`: dimension i of a head turns with dimension
// i + head_dim / 2 (halves, not neighbours), by position * rope_theta^(-2i / head_dim).
#include "arch/architectures.h"
#include "arch/table_builder.h"
#include "base/error.h"

namespace stagedtrain::arch {

void check_llama(const ModelConfig& config) {
  if (config.heads % config.kv_heads != 0)
    throw usage_error("model.kv_heads is {}, expected a divisor of model.heads {}", config.kv_heads,
                      config.heads)
        .with_hint("each head of keys and values serves equally many query heads");
  if (config.head_dim % 2 != 0)
    throw usage_error("model.head_dim is {}, expected an even number: llama turns pairs",
                      config.head_dim)
        .with_hint("choose other heads, or give head_dim");
}

// Proportional to width, so that the default of a wider model is what a narrow one grows into.
std::int64_t llama_ffn(std::int64_t width) { return (43 * width + 15) / 16; }

ParamTable llama_table(const ModelConfig& c) {
  TableBuilder b(c, {.gated = true});
  b.embed_tokens();
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
