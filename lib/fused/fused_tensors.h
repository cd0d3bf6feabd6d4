// Gives the fused kernels a transformer's tensors as raw pointers into a flat buffer, with its
// sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/block_style.h"
#include "arch/loops.h"
#include "arch/model_config.h"

namespace at {
class Tensor;
}

namespace stagedtrain::model {

class ParamBuffer;

struct FusedSizes {
  arch::BlockStyle style;
  std::int64_t layers, width, heads, kv_heads, head_dim, ffn, vocab;
  float eps, logit_scale;
  std::int64_t experts = 0, experts_each = 0;  // of a block, and of a row; 0: no experts
  float router_loss = 0;                       // coefficient of the balancing loss
  bool normalised_gates = true;                // the gates of a row's experts sum to 1
  arch::Boundaries boundaries = {};            // between the passes of a looped core
  bool gated() const { return style.gated; }
  bool layer_norms() const { return style.biases; }  // the other norms are RMSNorms
  bool head_norms() const { return style.head_norms != arch::HeadNorms::none; }
  std::int64_t heads_width() const { return heads * head_dim; }
  std::int64_t query_and_key_width() const { return (heads + kv_heads) * head_dim; }
  std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  std::int64_t up_width() const { return gated() ? 2 * ffn : ffn; }
  // The number of times that a row goes through a feed-forward.
  std::int64_t copies() const { return experts > 0 ? experts_each : 1; }
};
FusedSizes sizes_of(const arch::ModelConfig& config);

struct FeedForwardTensors {
  float *up_weight, *up_bias, *down_weight, *down_bias;
};
// The tensors of one block. Query, key and value are packed into one matrix, one after the other.
// So are gate and up of a gated feed-forward. Biases are null if the architecture has none, and
// gradients are null if they are not needed. branch_scale multiplies the output of both branches.
// The biases output_bias and mlp.down_bias already include it. Where not all hidden units run, the
// weights of the feed-forward keep their size, and rows or columns of the others are skipped.
struct FusedLayer {
  float *norm_1_weight, *norm_1_bias, *qkv_weight, *qkv_bias, *output_weight, *output_bias;
  float *query_norm, *key_norm, *norm_2_weight, *norm_2_bias;
  FeedForwardTensors mlp;  // null if there are experts
  float* router;           // null if there are none
  std::vector<FeedForwardTensors> experts;
  float branch_scale = 1;
  std::int64_t index = 0;  // in the whole model
  std::int64_t place = 0;  // of its dropout masks; the index unless the layer runs repeatedly
  std::int64_t ffn = 0;    // the hidden units that run, the first ones
  std::int64_t up_width(bool gated) const { return gated ? 2 * ffn : ffn; }
};

// The weights or the gradients of a model. head equals token if they are tied. position may be
// null.
struct FusedTensors {
  float *token, *position, *final_weight, *final_bias, *head;
  std::vector<FusedLayer> layers;
};
// Points into flat, a float32 CPU buffer with the layout of params, which must outlive the result.
FusedTensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                        const arch::ModelConfig& config);
// Does the same, but a pointer is null if all of its tensors are frozen in params.
FusedTensors trained_tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                                const arch::ModelConfig& config);

}  // namespace stagedtrain::model
