// GPT-2's tensors as raw pointers into a flat buffer, and the sizes that go with them.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"

namespace at {
class Tensor;
}

namespace stagedtrain::model {

class ParamBuffer;

struct Gpt2Sizes {
  std::int64_t layers, width, heads, head_dim, ffn, vocab;
  float eps, logit_scale;
  std::int64_t heads_width() const { return heads * head_dim; }
  std::int64_t qkv_width() const { return 3 * heads * head_dim; }
};
Gpt2Sizes sizes_of(const arch::ModelConfig& config);

// One block; query, key and value are packed: their rows one after another.
struct Gpt2Layer {
  float *norm_1_weight, *norm_1_bias, *qkv_weight, *qkv_bias, *output_weight, *output_bias;
  float *norm_2_weight, *norm_2_bias, *up_weight, *up_bias, *down_weight, *down_bias;
};

// Of the weights, or of the gradients. head is token where they are tied.
struct Gpt2Tensors {
  float *token, *position, *final_weight, *final_bias, *head;
  std::vector<Gpt2Layer> layers;
};
// flat: float32 on the CPU, of the layout of params; it must outlive the pointers.
Gpt2Tensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                       const arch::ModelConfig& config);

}  // namespace stagedtrain::model
