// The tables, and their expansion over layers and experts.
#include "hub/tensor_names.h"

#include <map>
#include <utility>

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::hub {
namespace {

std::string filled(std::string text, std::string_view mark, int number) {
  const std::size_t place = text.find(mark);
  return place == std::string::npos ? text
                                    : text.replace(place, mark.size(), std::to_string(number));
}

// Llama and Mixtral differ in their feed-forwards only.
NameTable hf_llama(std::vector<NameRule> feed_forward, const char* format) {
  NameTable table{format,
                  {{"embed.token", "model.embed_tokens.weight"},
                   {"norm_1.weight", "model.layers.{l}.input_layernorm.weight"},
                   {"attention.query.weight", "model.layers.{l}.self_attn.q_proj.weight"},
                   {"attention.key.weight", "model.layers.{l}.self_attn.k_proj.weight"},
                   {"attention.value.weight", "model.layers.{l}.self_attn.v_proj.weight"},
                   {"attention.output.weight", "model.layers.{l}.self_attn.o_proj.weight"},
                   {"norm_2.weight", "model.layers.{l}.post_attention_layernorm.weight"},
                   {"final_norm.weight", "model.norm.weight"},
                   {"head.weight", "lm_head.weight"}}};
  table.rules.insert(table.rules.end(), feed_forward.begin(), feed_forward.end());
  return table;
}

const NameRule& rule_for(const NameTable& names, const arch::ParamSpec& spec) {
  for (const NameRule& rule : names.rules)
    if (filled(rule.own, "{e}", spec.expert) == spec.key) return rule;
  throw usage_error("{} has no place for the tensor {}", names.format, spec.name);
}

// The shape of a stack of `parts` tensors.
std::vector<std::int64_t> stacked_shape(const arch::ParamSpec& spec, const NameRule& rule,
                                        std::int64_t parts) {
  std::vector<std::int64_t> shape = spec.shape();
  const bool new_axis = std::string_view(rule.own).find("{e}") != std::string_view::npos &&
                        std::string_view(rule.foreign).find("{e}") == std::string_view::npos;
  if (new_axis) {
    shape.insert(shape.begin(), parts);
  } else {
    shape[0] *= parts;
  }
  if (rule.layout == Layout::transposed) std::swap(shape[0], shape[1]);
  return shape;
}

}  // namespace

const NameTable& hf_llama_names() {
  static const NameTable table =
      hf_llama({{"mlp.gate.weight", "model.layers.{l}.mlp.gate_proj.weight"},
                {"mlp.up.weight", "model.layers.{l}.mlp.up_proj.weight"},
                {"mlp.down.weight", "model.layers.{l}.mlp.down_proj.weight"}},
               "a Hugging Face llama folder");
  return table;
}

const NameTable& hf_mixtral_names() {
#define MOE "model.layers.{l}.block_sparse_moe."
  static const NameTable table =
      hf_llama({{"mlp.router.weight", MOE "gate.weight"},
                {"mlp.experts.{e}.gate.weight", MOE "experts.{e}.w1.weight"},
                {"mlp.experts.{e}.up.weight", MOE "experts.{e}.w3.weight"},
                {"mlp.experts.{e}.down.weight", MOE "experts.{e}.w2.weight"}},
               "a Hugging Face mixtral folder");
#undef MOE
  return table;
}

const NameTable& hf_gpt2_names() {
  static const NameTable table{
      "a Hugging Face gpt2 folder",
      {{"embed.token", "transformer.wte.weight"},
       {"embed.position", "transformer.wpe.weight"},
       {"norm_1.weight", "transformer.h.{l}.ln_1.weight"},
       {"norm_1.bias", "transformer.h.{l}.ln_1.bias"},
       {"attention.query.weight", "transformer.h.{l}.attn.c_attn.weight", Layout::transposed},
       {"attention.key.weight", "transformer.h.{l}.attn.c_attn.weight", Layout::transposed},
       {"attention.value.weight", "transformer.h.{l}.attn.c_attn.weight", Layout::transposed},
       {"attention.query.bias", "transformer.h.{l}.attn.c_attn.bias"},
       {"attention.key.bias", "transformer.h.{l}.attn.c_attn.bias"},
       {"attention.value.bias", "transformer.h.{l}.attn.c_attn.bias"},
       {"attention.output.weight", "transformer.h.{l}.attn.c_proj.weight", Layout::transposed},
       {"attention.output.bias", "transformer.h.{l}.attn.c_proj.bias"},
       {"norm_2.weight", "transformer.h.{l}.ln_2.weight"},
       {"norm_2.bias", "transformer.h.{l}.ln_2.bias"},
       {"mlp.up.weight", "transformer.h.{l}.mlp.c_fc.weight", Layout::transposed},
       {"mlp.up.bias", "transformer.h.{l}.mlp.c_fc.bias"},
       {"mlp.down.weight", "transformer.h.{l}.mlp.c_proj.weight", Layout::transposed},
       {"mlp.down.bias", "transformer.h.{l}.mlp.c_proj.bias"},
       {"final_norm.weight", "transformer.ln_f.weight"},
       {"final_norm.bias", "transformer.ln_f.bias"},
       {"head.weight", "lm_head.weight"}}};
  return table;
}

const NameTable& gguf_gpt2_names() {
  static const NameTable table{
      "a gpt2 GGUF",
      {{"embed.token", "token_embd.weight"},
       {"embed.position", "position_embd.weight", Layout::plain, true},
       {"norm_1.weight", "blk.{l}.attn_norm.weight", Layout::plain, true},
       {"norm_1.bias", "blk.{l}.attn_norm.bias", Layout::plain, true},
       {"attention.query.weight", "blk.{l}.attn_qkv.weight"},
       {"attention.key.weight", "blk.{l}.attn_qkv.weight"},
       {"attention.value.weight", "blk.{l}.attn_qkv.weight"},
       {"attention.query.bias", "blk.{l}.attn_qkv.bias", Layout::plain, true},
       {"attention.key.bias", "blk.{l}.attn_qkv.bias", Layout::plain, true},
       {"attention.value.bias", "blk.{l}.attn_qkv.bias", Layout::plain, true},
       {"attention.output.weight", "blk.{l}.attn_output.weight"},
       {"attention.output.bias", "blk.{l}.attn_output.bias", Layout::plain, true},
       {"norm_2.weight", "blk.{l}.ffn_norm.weight", Layout::plain, true},
       {"norm_2.bias", "blk.{l}.ffn_norm.bias", Layout::plain, true},
       {"mlp.up.weight", "blk.{l}.ffn_up.weight"},
       {"mlp.up.bias", "blk.{l}.ffn_up.bias", Layout::plain, true},
       {"mlp.down.weight", "blk.{l}.ffn_down.weight"},
       {"mlp.down.bias", "blk.{l}.ffn_down.bias", Layout::plain, true},
       {"final_norm.weight", "output_norm.weight", Layout::plain, true},
       {"final_norm.bias", "output_norm.bias", Layout::plain, true},
       {"head.weight", "output.weight"}}};
  return table;
}

const NameTable& gguf_llama_names() {
  static const NameTable table{
      "a llama GGUF",
      {{"embed.token", "token_embd.weight"},
       {"norm_1.weight", "blk.{l}.attn_norm.weight", Layout::plain, true},
       {"attention.query.weight", "blk.{l}.attn_q.weight", Layout::rotary},
       {"attention.key.weight", "blk.{l}.attn_k.weight", Layout::rotary},
       {"attention.value.weight", "blk.{l}.attn_v.weight"},
       {"attention.output.weight", "blk.{l}.attn_output.weight"},
       {"norm_2.weight", "blk.{l}.ffn_norm.weight", Layout::plain, true},
       {"mlp.gate.weight", "blk.{l}.ffn_gate.weight"},
       {"mlp.up.weight", "blk.{l}.ffn_up.weight"},
       {"mlp.down.weight", "blk.{l}.ffn_down.weight"},
       {"mlp.router.weight", "blk.{l}.ffn_gate_inp.weight", Layout::plain, true},
       {"mlp.experts.{e}.gate.weight", "blk.{l}.ffn_gate_exps.weight"},
       {"mlp.experts.{e}.up.weight", "blk.{l}.ffn_up_exps.weight"},
       {"mlp.experts.{e}.down.weight", "blk.{l}.ffn_down_exps.weight"},
       {"final_norm.weight", "output_norm.weight", Layout::plain, true},
       {"head.weight", "output.weight"}}};
  return table;
}

// llm.c's files have no names; these are made by its reader and writer (llmc.h).
const NameTable& llmc_names() {
  static const NameTable table{"an llm.c model",
                               {{"embed.token", "wte"},
                                {"embed.position", "wpe"},
                                {"norm_1.weight", "ln1w.{l}"},
                                {"norm_1.bias", "ln1b.{l}"},
                                {"attention.query.weight", "qkvw.{l}"},
                                {"attention.key.weight", "qkvw.{l}"},
                                {"attention.value.weight", "qkvw.{l}"},
                                {"attention.query.bias", "qkvb.{l}"},
                                {"attention.key.bias", "qkvb.{l}"},
                                {"attention.value.bias", "qkvb.{l}"},
                                {"attention.output.weight", "attprojw.{l}"},
                                {"attention.output.bias", "attprojb.{l}"},
                                {"norm_2.weight", "ln2w.{l}"},
                                {"norm_2.bias", "ln2b.{l}"},
                                {"mlp.up.weight", "fcw.{l}"},
                                {"mlp.up.bias", "fcb.{l}"},
                                {"mlp.down.weight", "fcprojw.{l}"},
                                {"mlp.down.bias", "fcprojb.{l}"},
                                {"final_norm.weight", "lnfw"},
                                {"final_norm.bias", "lnfb"}}};
  return table;
}

std::vector<MappedTensor> map_tensors(const NameTable& names, const arch::ModelConfig& model) {
  const arch::ParamTable table = arch::param_table(model);
  std::vector<MappedTensor> mapped;
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const arch::ParamSpec& spec = table[i];
    const NameRule& rule = rule_for(names, spec);
    const std::string name =
        filled(filled(rule.foreign, "{l}", spec.layer), "{e}", spec.expert);
    const auto [found, is_new] = by_name.emplace(name, mapped.size());
    if (is_new) mapped.push_back({name, {}, {}, rule.layout, rule.keeps_f32});
    MappedTensor& tensor = mapped[found->second];
    tensor.own.push_back(i);
    tensor.shape = stacked_shape(spec, rule, static_cast<std::int64_t>(tensor.own.size()));
  }
  return mapped;
}

}  // namespace stagedtrain::hub
