// Gives the fused kernels a transformer's tensors as raw pointers into a flat buffer, with its
// sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"

namespace at {
class Tensor;
}

namespace stagedtrain::model {

class ParamBuffer;

// What the blocks of an architecture consist of. gpt2: LayerNorm, biases, GELU, learned positions.
// llama: RMSNorm, SwiGLU, rotary embedding, and no biases except those of qkv in Qwen 2.
enum class BlockForm { gpt2, llama };

struct FusedSizes {
  BlockForm form;
  std::int64_t layers, width, heads, kv_heads, head_dim, ffn, vocab;
  float eps, logit_scale;
  bool gated() const { return form == BlockForm::llama; }
  std::int64_t heads_width() const { return heads * head_dim; }
  std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  std::int64_t up_width() const { return gated() ? 2 * ffn : ffn; }
};
FusedSizes sizes_of(const arch::ModelConfig& config);

// The tensors of one block. Query, key and value are packed into one matrix, one after the other.
// So are gate and up of a gated feed-forward. Biases are null if the architecture has none, and
// gradients are null if they are not needed. branch_scale multiplies the output of both branches.
// The biases output_bias and down_bias already include it.
struct FusedLayer {
  float *norm_1_weight, *norm_1_bias, *qkv_weight, *qkv_bias, *output_weight, *output_bias;
  float *norm_2_weight, *norm_2_bias, *up_weight, *up_bias, *down_weight, *down_bias;
  float branch_scale = 1;
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
