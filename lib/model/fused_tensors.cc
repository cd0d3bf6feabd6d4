// Finding each tensor of a transformer in a flat buffer.
#include "model/fused_tensors.h"

#include "arch/architectures.h"
#include "model/param_buffer.h"

namespace stagedtrain::model {

FusedSizes sizes_of(const arch::ModelConfig& c) {
  return {arch::block_style(c).gated ? BlockForm::llama : BlockForm::gpt2,
          c.layers,
          c.width,
          c.heads,
          c.kv_heads,
          c.head_dim,
          c.ffn,
          c.vocab,
          static_cast<float>(c.norm_eps),
          static_cast<float>(c.logit_scale)};
}

FusedTensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                        const arch::ModelConfig& config) {
  const auto at = [&](const std::string& name) -> float* {
    return params.table().index(name) < 0 ? nullptr : params.view(flat, name).data_ptr<float>();
  };
  FusedTensors t{at("embed.token"),
                 at("embed.position"),
                 at("final_norm.weight"),
                 at("final_norm.bias"),
                 config.tied ? at("embed.token") : at("head.weight"),
                 {}};
  for (int i = 0; i < config.layers; ++i) {
    const auto in = [&](const char* key) { return at(arch::layer_name(i, key)); };
    // The first of tensors that lie side by side; packed_view checks that they do.
    const auto packed = [&](const std::vector<std::string>& keys) -> float* {
      std::vector<std::string> names;
      for (const std::string& key : keys) names.push_back(arch::layer_name(i, key));
      if (params.table().index(names[0]) < 0) return nullptr;
      return params.packed_view(flat, names).data_ptr<float>();
    };
    const auto qkv = [&](const std::string& kind) {
      return packed(
          {"attention.query." + kind, "attention.key." + kind, "attention.value." + kind});
    };
    const bool gated = arch::block_style(config).gated;
    t.layers.push_back({in("norm_1.weight"), in("norm_1.bias"), qkv("weight"), qkv("bias"),
                        in("attention.output.weight"), in("attention.output.bias"),
                        in("norm_2.weight"), in("norm_2.bias"),
                        gated ? packed({"mlp.gate.weight", "mlp.up.weight"}) : in("mlp.up.weight"),
                        in("mlp.up.bias"), in("mlp.down.weight"), in("mlp.down.bias")});
  }
  return t;
}

}  // namespace stagedtrain::model
