// Lists the tensor names of Hugging Face, GGUF and llm.c, by architecture.
#include <map>

#include "base/error.h"
#include "foreign/tensor_names.h"

namespace stagedtrain::hub {
namespace {

using Rules = std::vector<NameRule>;

Rules joined(std::initializer_list<Rules> parts) {
  Rules all;
  for (const Rules& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// ---- Hugging Face.

#define LAYER "model.layers.{l}."
const Rules kHfLlama = {{"embed.token", "model.embed_tokens.weight"},
                        {"attention.query.weight", LAYER "self_attn.q_proj.weight"},
                        {"attention.key.weight", LAYER "self_attn.k_proj.weight"},
                        {"attention.value.weight", LAYER "self_attn.v_proj.weight"},
                        {"attention.output.weight", LAYER "self_attn.o_proj.weight"},
                        {"final_norm.weight", "model.norm.weight"},
                        {"head.weight", "lm_head.weight"}};
const Rules kHfNormsBefore = {{"norm_1.weight", LAYER "input_layernorm.weight"},
                              {"norm_2.weight", LAYER "post_attention_layernorm.weight"}};
const Rules kHfNormsAfter = {{"norm_1.weight", LAYER "post_attention_layernorm.weight"},
                             {"norm_2.weight", LAYER "post_feedforward_layernorm.weight"}};
const Rules kHfBiases = {{"attention.query.bias", LAYER "self_attn.q_proj.bias"},
                         {"attention.key.bias", LAYER "self_attn.k_proj.bias"},
                         {"attention.value.bias", LAYER "self_attn.v_proj.bias"}};
const Rules kHfHeadNorms = {{"attention.query_norm.weight", LAYER "self_attn.q_norm.weight"},
                            {"attention.key_norm.weight", LAYER "self_attn.k_norm.weight"}};
const Rules kHfDense = {{"mlp.gate.weight", LAYER "mlp.gate_proj.weight"},
                        {"mlp.up.weight", LAYER "mlp.up_proj.weight"},
                        {"mlp.down.weight", LAYER "mlp.down_proj.weight"}};
const Rules kHfMixtral = {
    {"mlp.router.weight", LAYER "block_sparse_moe.gate.weight"},
    {"mlp.experts.{e}.gate.weight", LAYER "block_sparse_moe.experts.{e}.w1.weight"},
    {"mlp.experts.{e}.up.weight", LAYER "block_sparse_moe.experts.{e}.w3.weight"},
    {"mlp.experts.{e}.down.weight", LAYER "block_sparse_moe.experts.{e}.w2.weight"}};
const Rules kHfQwenExperts = {
    {"mlp.router.weight", LAYER "mlp.gate.weight"},
    {"mlp.experts.{e}.gate.weight", LAYER "mlp.experts.{e}.gate_proj.weight"},
    {"mlp.experts.{e}.up.weight", LAYER "mlp.experts.{e}.up_proj.weight"},
    {"mlp.experts.{e}.down.weight", LAYER "mlp.experts.{e}.down_proj.weight"}};
#undef LAYER

#define LAYER "transformer.h.{l}."
const Rules kHfGpt2 = {{"embed.token", "transformer.wte.weight"},
                       {"embed.position", "transformer.wpe.weight"},
                       {"norm_1.weight", LAYER "ln_1.weight"},
                       {"norm_1.bias", LAYER "ln_1.bias"},
                       {"attention.query.weight", LAYER "attn.c_attn.weight", Layout::transposed},
                       {"attention.key.weight", LAYER "attn.c_attn.weight", Layout::transposed},
                       {"attention.value.weight", LAYER "attn.c_attn.weight", Layout::transposed},
                       {"attention.query.bias", LAYER "attn.c_attn.bias"},
                       {"attention.key.bias", LAYER "attn.c_attn.bias"},
                       {"attention.value.bias", LAYER "attn.c_attn.bias"},
                       {"attention.output.weight", LAYER "attn.c_proj.weight", Layout::transposed},
                       {"attention.output.bias", LAYER "attn.c_proj.bias"},
                       {"norm_2.weight", LAYER "ln_2.weight"},
                       {"norm_2.bias", LAYER "ln_2.bias"},
                       {"mlp.up.weight", LAYER "mlp.c_fc.weight", Layout::transposed},
                       {"mlp.up.bias", LAYER "mlp.c_fc.bias"},
                       {"mlp.down.weight", LAYER "mlp.c_proj.weight", Layout::transposed},
                       {"mlp.down.bias", LAYER "mlp.c_proj.bias"},
                       {"final_norm.weight", "transformer.ln_f.weight"},
                       {"final_norm.bias", "transformer.ln_f.bias"},
                       {"head.weight", "lm_head.weight"}};
#undef LAYER

#define LAYER "gpt_neox.layers.{l}."
const Rules kHfNeox = {
    {"embed.token", "gpt_neox.embed_in.weight"},
    {"norm_1.weight", LAYER "input_layernorm.weight"},
    {"norm_1.bias", LAYER "input_layernorm.bias"},
    {"attention.query.weight", LAYER "attention.query_key_value.weight", Layout::by_head},
    {"attention.key.weight", LAYER "attention.query_key_value.weight", Layout::by_head},
    {"attention.value.weight", LAYER "attention.query_key_value.weight", Layout::by_head},
    {"attention.query.bias", LAYER "attention.query_key_value.bias", Layout::by_head},
    {"attention.key.bias", LAYER "attention.query_key_value.bias", Layout::by_head},
    {"attention.value.bias", LAYER "attention.query_key_value.bias", Layout::by_head},
    {"attention.output.weight", LAYER "attention.dense.weight"},
    {"attention.output.bias", LAYER "attention.dense.bias"},
    {"norm_2.weight", LAYER "post_attention_layernorm.weight"},
    {"norm_2.bias", LAYER "post_attention_layernorm.bias"},
    {"mlp.up.weight", LAYER "mlp.dense_h_to_4h.weight"},
    {"mlp.up.bias", LAYER "mlp.dense_h_to_4h.bias"},
    {"mlp.down.weight", LAYER "mlp.dense_4h_to_h.weight"},
    {"mlp.down.bias", LAYER "mlp.dense_4h_to_h.bias"},
    {"final_norm.weight", "gpt_neox.final_layer_norm.weight"},
    {"final_norm.bias", "gpt_neox.final_layer_norm.bias"},
    {"head.weight", "embed_out.weight"}};
#undef LAYER

// ---- GGUF. Only llama has the rows of queries and keys in ggml's rotary order.

constexpr NameRule in_f32(const char* own, const char* foreign) {
  return {own, foreign, Layout::plain, true};
}

const Rules kGgufEnds = {{"embed.token", "token_embd.weight"},
                         in_f32("final_norm.weight", "output_norm.weight"),
                         {"head.weight", "output.weight"}};
const Rules kGgufQkTurned = {{"attention.query.weight", "blk.{l}.attn_q.weight", Layout::rotary},
                             {"attention.key.weight", "blk.{l}.attn_k.weight", Layout::rotary}};
const Rules kGgufQk = {{"attention.query.weight", "blk.{l}.attn_q.weight"},
                       {"attention.key.weight", "blk.{l}.attn_k.weight"}};
const Rules kGgufBlock = {{"attention.value.weight", "blk.{l}.attn_v.weight"},
                          {"attention.output.weight", "blk.{l}.attn_output.weight"},
                          {"mlp.gate.weight", "blk.{l}.ffn_gate.weight"},
                          {"mlp.up.weight", "blk.{l}.ffn_up.weight"},
                          {"mlp.down.weight", "blk.{l}.ffn_down.weight"},
                          in_f32("mlp.router.weight", "blk.{l}.ffn_gate_inp.weight"),
                          {"mlp.experts.{e}.gate.weight", "blk.{l}.ffn_gate_exps.weight"},
                          {"mlp.experts.{e}.up.weight", "blk.{l}.ffn_up_exps.weight"},
                          {"mlp.experts.{e}.down.weight", "blk.{l}.ffn_down_exps.weight"}};
const Rules kGgufNormsBefore = {in_f32("norm_1.weight", "blk.{l}.attn_norm.weight"),
                                in_f32("norm_2.weight", "blk.{l}.ffn_norm.weight")};
const Rules kGgufNormsAfter = {in_f32("norm_1.weight", "blk.{l}.post_attention_norm.weight"),
                               in_f32("norm_2.weight", "blk.{l}.post_ffw_norm.weight")};
const Rules kGgufBiases = {in_f32("attention.query.bias", "blk.{l}.attn_q.bias"),
                           in_f32("attention.key.bias", "blk.{l}.attn_k.bias"),
                           in_f32("attention.value.bias", "blk.{l}.attn_v.bias")};
const Rules kGgufHeadNorms = {in_f32("attention.query_norm.weight", "blk.{l}.attn_q_norm.weight"),
                              in_f32("attention.key_norm.weight", "blk.{l}.attn_k_norm.weight")};
const Rules kGgufGpt2 = {in_f32("embed.position", "position_embd.weight"),
                         in_f32("norm_1.bias", "blk.{l}.attn_norm.bias"),
                         {"attention.query.weight", "blk.{l}.attn_qkv.weight"},
                         {"attention.key.weight", "blk.{l}.attn_qkv.weight"},
                         {"attention.value.weight", "blk.{l}.attn_qkv.weight"},
                         in_f32("attention.query.bias", "blk.{l}.attn_qkv.bias"),
                         in_f32("attention.key.bias", "blk.{l}.attn_qkv.bias"),
                         in_f32("attention.value.bias", "blk.{l}.attn_qkv.bias"),
                         {"attention.output.weight", "blk.{l}.attn_output.weight"},
                         in_f32("attention.output.bias", "blk.{l}.attn_output.bias"),
                         in_f32("norm_2.bias", "blk.{l}.ffn_norm.bias"),
                         {"mlp.up.weight", "blk.{l}.ffn_up.weight"},
                         in_f32("mlp.up.bias", "blk.{l}.ffn_up.bias"),
                         {"mlp.down.weight", "blk.{l}.ffn_down.weight"},
                         in_f32("mlp.down.bias", "blk.{l}.ffn_down.bias"),
                         in_f32("final_norm.bias", "output_norm.bias")};

const NameTable& named(const std::map<std::string, NameTable>& tables, const std::string& name) {
  const auto found = tables.find(name);
  ST_CHECK(found != tables.end(), "no names for {}", name);
  return found->second;
}

}  // namespace

const NameTable& hf_names(const arch::ModelConfig& model) {
  static const std::map<std::string, NameTable> dense = {
      {"gpt2", {"a Hugging Face gpt2 folder", kHfGpt2}},
      {"neox", {"a Hugging Face gpt_neox folder", kHfNeox}},
      {"llama", {"a Hugging Face llama folder", joined({kHfLlama, kHfNormsBefore, kHfDense})}},
      {"qwen2",
       {"a Hugging Face qwen2 folder", joined({kHfLlama, kHfNormsBefore, kHfBiases, kHfDense})}},
      {"qwen3",
       {"a Hugging Face qwen3 folder", joined({kHfLlama, kHfNormsBefore, kHfHeadNorms, kHfDense})}},
      {"olmo2",
       {"a Hugging Face olmo2 folder", joined({kHfLlama, kHfNormsAfter, kHfHeadNorms, kHfDense})}}};
  static const std::map<std::string, NameTable> with_experts = {
      {"llama", {"a Hugging Face mixtral folder", joined({kHfLlama, kHfNormsBefore, kHfMixtral})}},
      {"qwen3",
       {"a Hugging Face qwen3_moe folder",
        joined({kHfLlama, kHfNormsBefore, kHfHeadNorms, kHfQwenExperts})}},
      {"olmoe",
       {"a Hugging Face olmoe folder",
        joined({kHfLlama, kHfNormsBefore, kHfHeadNorms, kHfQwenExperts})}}};
  const bool mixed = model.experts > 0 && with_experts.contains(model.architecture);
  return named(mixed ? with_experts : dense, model.architecture);
}

// nanoGPT has GPT-2's names, and linear layers instead of Conv1D.
const NameTable& nanogpt_names() {
  static const NameTable table = [] {
    NameTable names{"a nanoGPT model", kHfGpt2};
    for (NameRule& rule : names.rules) rule.layout = Layout::plain;
    return names;
  }();
  return table;
}

const NameTable& gguf_names(const arch::ModelConfig& model) {
  static const std::map<std::string, NameTable> tables = {
      {"gpt2", {"a gpt2 GGUF", joined({kGgufEnds, kGgufNormsBefore, kGgufGpt2})}},
      {"neox", {"a gptneox GGUF", joined({kGgufEnds, kGgufNormsBefore, kGgufGpt2})}},
      {"llama", {"a llama GGUF", joined({kGgufEnds, kGgufBlock, kGgufNormsBefore, kGgufQkTurned})}},
      {"qwen2",
       {"a qwen2 GGUF", joined({kGgufEnds, kGgufBlock, kGgufNormsBefore, kGgufQk, kGgufBiases})}},
      {"qwen3",
       {"a qwen3 GGUF",
        joined({kGgufEnds, kGgufBlock, kGgufNormsBefore, kGgufQk, kGgufHeadNorms})}},
      {"olmo2",
       {"an olmo2 GGUF",
        joined({kGgufEnds, kGgufBlock, kGgufNormsAfter, kGgufQk, kGgufHeadNorms})}},
      {"olmoe",
       {"an olmoe GGUF",
        joined({kGgufEnds, kGgufBlock, kGgufNormsBefore, kGgufQk, kGgufHeadNorms})}}};
  return named(tables, model.architecture);
}

// llm.c's files contain no names; its reader and writer (llmc.h) generate these.
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

}  // namespace stagedtrain::hub
