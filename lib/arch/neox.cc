// Defines GPT-NeoX, the architecture of Pythia: LayerNorms and biases as in GPT-2, but attention
// and feed-forward read the same residual stream, and only the first part of each query and key
// rotates.
#include "arch/architectures.h"
#include "arch/rotary.h"
#include "base/error.h"

namespace stagedtrain::arch {

void check_neox(const ModelConfig& config) {
  refuse_grouped_queries(config);
  const std::int64_t turned = rotary_entries(config);
  if (turned < 2 || turned % 2 != 0)
    throw usage_error(
        "model.rotary_share {} of head_dim {} is {} entries, expected an even number above 0: neox "
        "rotates pairs of entries",
        config.rotary_share, config.head_dim, turned)
        .with_hint("choose another rotary_share, or give head_dim");
}

}  // namespace stagedtrain::arch
