// Finding each tensor of a GPT-2 in a flat buffer.
#include "model/gpt2_tensors.h"

#include "model/param_buffer.h"

namespace stagedtrain::model {

Gpt2Sizes sizes_of(const arch::ModelConfig& c) {
  return {c.layers,
          c.width,
          c.heads,
          c.head_dim,
          c.ffn,
          c.vocab,
          static_cast<float>(c.norm_eps),
          static_cast<float>(c.logit_scale)};
}

Gpt2Tensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                       const arch::ModelConfig& config) {
  const auto at = [&](const std::string& name) {
    return params.view(flat, name).data_ptr<float>();
  };
  Gpt2Tensors t{at("embed.token"),
                at("embed.position"),
                at("final_norm.weight"),
                at("final_norm.bias"),
                config.tied ? at("embed.token") : at("head.weight"),
                {}};
  for (int i = 0; i < config.layers; ++i) {
    const auto in = [&](const char* key) { return at(arch::layer_name(i, key)); };
    const auto packed = [&](const std::string& kind) {
      return params
          .packed_view(flat, {arch::layer_name(i, "attention.query." + kind),
                              arch::layer_name(i, "attention.key." + kind),
                              arch::layer_name(i, "attention.value." + kind)})
          .data_ptr<float>();
    };
    t.layers.push_back({in("norm_1.weight"), in("norm_1.bias"), packed("weight"), packed("bias"),
                        in("attention.output.weight"), in("attention.output.bias"),
                        in("norm_2.weight"), in("norm_2.bias"), in("mlp.up.weight"),
                        in("mlp.up.bias"), in("mlp.down.weight"), in("mlp.down.bias")});
  }
  return t;
}

}  // namespace stagedtrain::model
