// Writes config.json.
#include "base/error.h"
#include "foreign/hf_config.h"
#include "text/json.h"

namespace stagedtrain::hub {
namespace {

std::string dtype_of(Element element) {
  return element == Element::f32 ? "float32" : element == Element::f16 ? "float16" : "bfloat16";
}

void refuse(bool wrong, const char* key, const std::string& found, const std::string& why) {
  if (wrong) throw usage_error("model.{} is {}: {}", key, found, why);
}

Json gpt2_json(const arch::ModelConfig& m) {
  refuse(m.head_dim * m.heads != m.width, "head_dim", std::to_string(m.head_dim),
         "a Hugging Face gpt2 has width / heads");
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", m.vocab},
          {"n_positions", m.context},
          {"n_ctx", m.context},
          {"n_embd", m.width},
          {"n_layer", m.layers},
          {"n_head", m.heads},
          {"n_inner", m.ffn == 4 * m.width ? Json(nullptr) : Json(m.ffn)},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", m.norm_eps},
          {"attn_pdrop", 0.0},
          {"embd_pdrop", 0.0},
          {"resid_pdrop", 0.0},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false},
          {"reorder_and_upcast_attn", false},
          {"initializer_range", 0.02}};
}

// Returns the object that transformers 5 reads as rope_parameters and older readers as
// rope_scaling.
Json rope_json(const arch::ModelConfig& m) {
  Json rope = {{"rope_type", m.rope_scaling == "none" ? "default" : m.rope_scaling},
               {"rope_theta", m.rope_theta}};
  if (m.rotary_share != 1) rope["partial_rotary_factor"] = m.rotary_share;
  if (m.rope_scaling != "none") rope["factor"] = m.rope_factor;
  if (m.rope_scaling != "llama3") return rope;
  rope["low_freq_factor"] = m.rope_low;
  rope["high_freq_factor"] = m.rope_high;
  rope["original_max_position_embeddings"] = m.rope_original;
  return rope;
}

// Returns the sizes, under the key names that all architectures but gpt2 use.
Json sizes_json(const arch::ModelConfig& m, const char* type, const char* model_class) {
  return {{"architectures", {model_class}},  {"model_type", type},
          {"vocab_size", m.vocab},           {"hidden_size", m.width},
          {"intermediate_size", m.ffn},      {"num_hidden_layers", m.layers},
          {"num_attention_heads", m.heads},  {"max_position_embeddings", m.context},
          {"rope_parameters", rope_json(m)}, {"attention_dropout", 0.0},
          {"initializer_range", 0.02}};
}

Json neox_json(const arch::ModelConfig& m) {
  refuse(m.head_dim * m.heads != m.width, "head_dim", std::to_string(m.head_dim),
         "a Hugging Face gpt_neox has width / heads");
  Json json = sizes_json(m, "gpt_neox", "GPTNeoXForCausalLM");
  json["hidden_act"] = "gelu";
  json["layer_norm_eps"] = m.norm_eps;
  json["rotary_pct"] = m.rotary_share;
  json["rotary_emb_base"] = m.rope_theta;
  json["use_parallel_residual"] = true;
  json["attention_bias"] = true;
  json["hidden_dropout"] = 0.0;
  if (m.rope_scaling != "none") json["rope_scaling"] = rope_json(m);
  return json;
}

struct ModelClass {
  const char *architecture, *type, *name, *type_with_experts, *name_with_experts;
};
constexpr ModelClass kClasses[] = {
    {"llama", "llama", "LlamaForCausalLM", "mixtral", "MixtralForCausalLM"},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", nullptr, nullptr},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", "qwen3_moe", "Qwen3MoeForCausalLM"},
    {"olmo2", "olmo2", "Olmo2ForCausalLM", nullptr, nullptr},
    {"olmoe", nullptr, nullptr, "olmoe", "OlmoeForCausalLM"},
};

const ModelClass& class_of(const std::string& architecture) {
  for (const ModelClass& one : kClasses)
    if (architecture == one.architecture) return one;
  throw usage_error("model.architecture is {}: Hugging Face export does not support it",
                    architecture);
}

void add_experts(Json& json, const arch::ModelConfig& m) {
  if (m.architecture == "llama") {
    refuse(!m.norm_topk, "norm_topk", "false", "the gates of a Hugging Face mixtral add up to 1");
    json["num_local_experts"] = m.experts;
  } else {
    json["num_experts"] = m.experts;
    json["norm_topk_prob"] = m.norm_topk;
  }
  if (m.architecture == "qwen3") {
    json["moe_intermediate_size"] = m.ffn;
    json["decoder_sparse_step"] = 1;
    json["mlp_only_layers"] = Json::array();
  }
  json["num_experts_per_tok"] = m.experts_per_token;
  json["router_aux_loss_coef"] = m.router_loss;
  json["output_router_logits"] = false;
}

Json decoder_json(const arch::ModelConfig& m) {
  const ModelClass& one = class_of(m.architecture);
  refuse(m.experts > 0 && !one.type_with_experts, "experts", std::to_string(m.experts),
         fmt::format("a Hugging Face {} has none", m.architecture));
  refuse(m.experts == 0 && !one.type, "experts", "0",
         fmt::format("a Hugging Face {} has some", m.architecture));
  refuse(m.architecture == "olmoe" && m.head_dim * m.heads != m.width, "head_dim",
         std::to_string(m.head_dim), "a Hugging Face olmoe has width / heads");
  Json json = m.experts > 0 ? sizes_json(m, one.type_with_experts, one.name_with_experts)
                            : sizes_json(m, one.type, one.name);
  json["num_key_value_heads"] = m.kv_heads;
  json["head_dim"] = m.head_dim;
  json["hidden_act"] = "silu";
  json["rms_norm_eps"] = m.norm_eps;
  json["rope_theta"] = m.rope_theta;
  json["attention_bias"] = false;
  json["mlp_bias"] = false;
  if (m.rope_scaling != "none") json["rope_scaling"] = rope_json(m);
  if (m.experts > 0 || m.architecture.starts_with("qwen")) json["sliding_window"] = nullptr;
  if (m.architecture.starts_with("qwen")) json["use_sliding_window"] = false;
  if (m.experts > 0) add_experts(json, m);
  return json;
}

}  // namespace

Json hf_config(const arch::ModelConfig& m, Element element, const SpecialTokens& tokens) {
  refuse(m.value_dim != m.head_dim, "value_dim", std::to_string(m.value_dim),
         "Hugging Face models have values of the size of keys");
  refuse((m.architecture == "gpt2" || m.architecture == "neox") && m.experts > 0, "experts",
         std::to_string(m.experts), fmt::format("a Hugging Face {} has none", m.architecture));
  Json json = m.architecture == "gpt2"   ? gpt2_json(m)
              : m.architecture == "neox" ? neox_json(m)
                                         : decoder_json(m);
  json["tie_word_embeddings"] = m.tied;
  json["bos_token_id"] = tokens.begin < 0 ? Json(nullptr) : Json(tokens.begin);
  json["eos_token_id"] = tokens.end < 0 ? Json(nullptr) : Json(tokens.end);
  json["pad_token_id"] = tokens.pad < 0 ? Json(nullptr) : Json(tokens.pad);
  json["use_cache"] = true;
  json["torch_dtype"] = dtype_of(element);
  json["dtype"] = dtype_of(element);
  return json;
}

}  // namespace stagedtrain::hub
