// Defines GPT-2: learned positions, pre-LayerNorm blocks with biases, GELU (tanh), tied head by
// default, initialized as in the GPT-2 paper and code.
#include "arch/architectures.h"
#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::arch {

void check_gpt2(const ModelConfig& config) {
  refuse_grouped_queries(config);
  if (config.rope_theta != ModelConfig().rope_theta)
    throw usage_error("model.rope_theta is {}: gpt2 has learned positions, not rotary ones",
                      format_number(config.rope_theta))
        .with_hint("leave it out, or choose architecture: llama");
  if (config.rotary_share != 1 || config.rope_scaling != "none")
    throw usage_error("model.{}: gpt2 has learned positions, not rotary ones",
                      config.rotary_share != 1 ? "rotary_share" : "rope_scaling")
        .with_hint("leave it out, or choose architecture: llama");
}

std::int64_t gpt2_ffn(std::int64_t width) { return 4 * width; }

}  // namespace stagedtrain::arch
