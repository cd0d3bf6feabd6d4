// Defines LLaMA and the architectures that differ from it only in norms and biases (Qwen 2 and 3,
// OLMo 2): rotary positions, RMSNorm without biases, SwiGLU, grouped queries. The rotary embedding
// follows `transformers`: dimension i of a head is rotated together with dimension i + head_dim / 2
// (halves, not neighbours), by the angle position * rope_theta^(-2i / head_dim).
#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::arch {

void check_llama(const ModelConfig& config) {
  if (config.heads % config.kv_heads != 0)
    throw usage_error("model.kv_heads is {}, expected a divisor of model.heads {}", config.kv_heads,
                      config.heads)
        .with_hint("each head of keys and values is read by the same number of query heads");
  if (config.head_dim % 2 != 0)
    throw usage_error("model.head_dim is {}, expected an even number: {} rotates pairs of entries",
                      config.head_dim, config.architecture)
        .with_hint("choose another number of heads, or give head_dim");
  if (config.rotary_share != 1)
    throw usage_error("model.rotary_share is {}, expected 1: {} rotates whole heads",
                      config.rotary_share, config.architecture)
        .with_hint("leave it out, or choose architecture: neox");
}

// Returns 43/16 of the width, rounded up: LLaMA's 11008 for a width of 4096. It is proportional to
// the width, so a model that grows in width keeps the default ratio.
std::int64_t llama_ffn(std::int64_t width) { return (43 * width + 15) / 16; }

}  // namespace stagedtrain::arch
