// The tensors of a transformer as raw pointers into a flat buffer, and the sizes that go with them.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"

namespace at {
class Tensor;
}

namespace stagedtrain::model {

class ParamBuffer;

// What an architecture's blocks are made of. GPT-2: layer norms, biases, GELU, learnt positions.
// LLaMA: RMS norms, SwiGLU, rotary positions, no biases but, in Qwen 2, those of qkv.
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

// One block. Query, key and value are packed: their rows one after another; so are a gated
// feed-forward's gate and up. Biases are null where there are none, and a gradient is null where it
// is not wanted. branch_scale multiplies what either branch adds to the residual stream; biases of
// the branches' outputs are scaled already.
struct FusedLayer {
  float *norm_1_weight, *norm_1_bias, *qkv_weight, *qkv_bias, *output_weight, *output_bias;
  float *norm_2_weight, *norm_2_bias, *up_weight, *up_bias, *down_weight, *down_bias;
  float branch_scale = 1;
};

// Of the weights, or of the gradients. head is token where they are tied; position may be null.
struct FusedTensors {
  float *token, *position, *final_weight, *final_bias, *head;
  std::vector<FusedLayer> layers;
};
// flat: float32 on the CPU, of the layout of params; it must outlive the pointers.
FusedTensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                        const arch::ModelConfig& config);
// The same, but null where params trains none of the tensors that a pointer stands for.
FusedTensors trained_tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                                const arch::ModelConfig& config);

}  // namespace stagedtrain::model
