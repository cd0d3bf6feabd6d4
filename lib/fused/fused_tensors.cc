// Finds the tensors of a transformer in a flat buffer.
#include "fused/fused_tensors.h"

#include "arch/architectures.h"
#include "model/param_buffer.h"

namespace stagedtrain::model {

FusedSizes sizes_of(const arch::ModelConfig& c) {
  return {arch::block_style(c),
          c.layers,
          c.width,
          c.heads,
          c.kv_heads,
          c.head_dim,
          c.ffn,
          c.vocab,
          static_cast<float>(c.norm_eps),
          static_cast<float>(c.logit_scale),
          c.experts,
          c.experts_per_token,
          static_cast<float>(c.router_loss),
          c.norm_topk,
          arch::boundaries_of(c)};
}

namespace {

// wanted(index) returns whether tensor `index` of the table is needed. A packed matrix is needed if
// any of its tensors is.
template <class Wanted>
FusedTensors pointers_to(const ParamBuffer& params, const at::Tensor& flat,
                         const arch::ModelConfig& config, const Wanted& wanted) {
  // Points to the first of several adjacent tensors. packed_view checks that they are adjacent.
  const auto packed = [&](const std::vector<std::string>& names) -> float* {
    bool any = false;
    for (const std::string& name : names) {
      const std::int64_t index = params.table().index(name);
      any = any || (index >= 0 && wanted(static_cast<std::size_t>(index)));
    }
    return any ? params.packed_view(flat, names).data_ptr<float>() : nullptr;
  };
  const auto at = [&](const std::string& name) { return packed({name}); };
  FusedTensors t{at("embed.token"),
                 at("embed.position"),
                 at("final_norm.weight"),
                 at("final_norm.bias"),
                 config.tied ? at("embed.token") : at("head.weight"),
                 {}};
  const bool gated = arch::block_style(config).gated;
  for (int i = 0; i < config.layers; ++i) {
    const auto in = [&](const std::string& key) { return at(arch::layer_name(i, key)); };
    const auto qkv = [&](const std::string& kind) {
      return packed({arch::layer_name(i, "attention.query." + kind),
                     arch::layer_name(i, "attention.key." + kind),
                     arch::layer_name(i, "attention.value." + kind)});
    };
    const auto feed_forward = [&](const std::string& prefix) -> FeedForwardTensors {
      return {gated ? packed({arch::layer_name(i, prefix + "gate.weight"),
                              arch::layer_name(i, prefix + "up.weight")})
                    : in(prefix + "up.weight"),
              in(prefix + "up.bias"), in(prefix + "down.weight"), in(prefix + "down.bias")};
    };
    std::vector<FeedForwardTensors> experts;
    for (std::int64_t e = 0; e < config.experts; ++e)
      experts.push_back(feed_forward("mlp.experts." + std::to_string(e) + "."));
    t.layers.push_back({in("norm_1.weight"), in("norm_1.bias"), qkv("weight"), qkv("bias"),
                        in("attention.output.weight"), in("attention.output.bias"),
                        in("attention.query_norm.weight"), in("attention.key_norm.weight"),
                        in("norm_2.weight"), in("norm_2.bias"), feed_forward("mlp."),
                        in("mlp.router.weight"), std::move(experts), 1, i, i, config.ffn});
  }
  return t;
}

}  // namespace

FusedTensors tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                        const arch::ModelConfig& config) {
  return pointers_to(params, flat, config, [](std::size_t) { return true; });
}

FusedTensors trained_tensors_of(const ParamBuffer& params, const at::Tensor& flat,
                                const arch::ModelConfig& config) {
  return pointers_to(params, flat, config, [&](std::size_t i) { return !params.frozen()[i]; });
}

}  // namespace stagedtrain::model
