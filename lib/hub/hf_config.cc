// Which keys of config.json are read, which must have one value, and which say nothing here.
#include "hub/hf_config.h"

#include "base/error.h"
#include "base/text.h"
#include "hub/checked_config.h"
#include "hub/config_reader.h"

namespace stagedtrain::hub {
namespace {

// Training, generation and housekeeping: no effect on the logits of a text.
void ignore_common(ConfigReader& in) {
  in.ignore({"architectures", "model_type", "torch_dtype", "dtype", "transformers_version",
             "_name_or_path", "use_cache", "initializer_range", "bos_token_id", "eos_token_id",
             "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id",
             "attention_dropout", "hidden_dropout", "return_dict", "output_attentions",
             "output_hidden_states", "output_router_logits", "gradient_checkpointing",
             "task_specific_params", "id2label", "label2id", "_attn_implementation_autoset",
             "attn_implementation", "is_llama_config", "transformers.js_config",
             "chunk_size_feed_forward", "problem_type", "tokenizer_class", "pad_token",
             "auto_map", "max_window_layers", "router_jitter_noise"});
  in.require("quantization_config", {nullptr}, "quantised weights are not read");
  in.require("is_decoder", {false, true}, "expected a boolean");
  in.require("is_encoder_decoder", {false}, "only decoders are read");
  in.require("add_cross_attention", {false}, "there is no cross-attention here");
}

double rope_theta(ConfigReader& in) {
  constexpr const char* kWhy = "no other kind of rope is supported";
  const double theta = in.number("rope_theta", 1e4);
  const auto of_object = [&](const char* key) {
    const SortedJson* object = in.object(key);
    if (!object) return theta;
    ConfigReader rope(*object, in.where() + ": " + key);
    rope.require("rope_type", {"default"}, kWhy);
    rope.require("type", {"default"}, kWhy);
    rope.require("partial_rotary_factor", {1, 1.0}, "all of a head is turned here");
    return rope.number("rope_theta", theta);
  };
  of_object("rope_scaling");
  return of_object("rope_parameters");
}

// Llama, Mistral and Mixtral.
HubConfig read_llama(ConfigReader& in, bool experts) {
  arch::ModelConfig model;
  model.architecture = "llama";
  model.width = in.count("hidden_size");
  model.layers = in.count("num_hidden_layers");
  model.heads = in.count("num_attention_heads");
  model.kv_heads = in.count("num_key_value_heads", model.heads);
  model.head_dim = in.count("head_dim", 0);
  model.ffn = in.count("intermediate_size");
  model.vocab = in.count("vocab_size");
  model.context = in.count("max_position_embeddings", 2048);
  model.norm_eps = in.number("rms_norm_eps", experts ? 1e-5 : 1e-6);
  model.rope_theta = rope_theta(in);
  model.tied = in.flag("tie_word_embeddings", false);
  in.require("hidden_act", {"silu", "swish"}, "the gate of a feed-forward is SiLU here");
  in.require("attention_bias", {false}, "llama has no biases here");
  in.require("mlp_bias", {false}, "llama has no biases here");
  in.require("sliding_window", {nullptr}, "attention sees the whole context here");
  in.require("use_sliding_window", {false}, "attention sees the whole context here");
  in.require("layer_types", {nullptr}, "all layers are alike here");
  in.require("rope_interleaved", {false}, "rope turns halves here");
  in.require("partial_rotary_factor", {1, 1.0}, "all of a head is turned here");
  in.require("pretraining_tp", {1}, "weights in slices are not read");
  if (experts) {
    model.experts = in.count("num_local_experts");
    model.experts_per_token = in.count("num_experts_per_tok", 2);
    model.router_loss = in.number("router_aux_loss_coef", 0.001);
  } else {
    in.require("num_local_experts", {nullptr, 0, 1}, "model_type mixtral has experts, llama none");
  }
  return {checked(model, in.where()), experts ? &hf_mixtral_names() : &hf_llama_names(), {}};
}

HubConfig read_gpt2(ConfigReader& in) {
  arch::ModelConfig model;
  model.architecture = "gpt2";
  model.width = in.count("n_embd");
  model.layers = in.count("n_layer");
  model.heads = in.count("n_head");
  model.ffn = in.count("n_inner", 4 * model.width);
  model.vocab = in.count("vocab_size");
  model.context = in.count("n_positions", in.count("n_ctx", 1024));
  model.norm_eps = in.number("layer_norm_epsilon", 1e-5);
  model.tied = in.flag("tie_word_embeddings", true);
  in.require("activation_function", {"gelu_new", "gelu_pytorch_tanh"}, "gpt2 has GELU (tanh) here");
  in.require("scale_attn_weights", {true}, "attention is scaled here");
  in.require("scale_attn_by_inverse_layer_idx", {false}, "all layers are alike here");
  in.ignore({"reorder_and_upcast_attn", "attn_pdrop", "embd_pdrop", "resid_pdrop",
             "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
             "summary_type", "summary_use_proj"});
  return {checked(model, in.where()), &hf_gpt2_names(), {}};
}

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

Json llama_json(const arch::ModelConfig& m) {
  const bool experts = m.experts > 0;
  Json json = {{"architectures", {experts ? "MixtralForCausalLM" : "LlamaForCausalLM"}},
               {"model_type", experts ? "mixtral" : "llama"},
               {"vocab_size", m.vocab},
               {"hidden_size", m.width},
               {"intermediate_size", m.ffn},
               {"num_hidden_layers", m.layers},
               {"num_attention_heads", m.heads},
               {"num_key_value_heads", m.kv_heads},
               {"head_dim", m.head_dim},
               {"hidden_act", "silu"},
               {"max_position_embeddings", m.context},
               {"rms_norm_eps", m.norm_eps},
               {"rope_theta", m.rope_theta},
               {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", m.rope_theta}}},
               {"attention_bias", false},
               {"mlp_bias", false},
               {"attention_dropout", 0.0},
               {"initializer_range", 0.02}};
  if (experts) {
    json["num_local_experts"] = m.experts;
    json["num_experts_per_tok"] = m.experts_per_token;
    json["router_aux_loss_coef"] = m.router_loss;
    json["output_router_logits"] = false;
    json["sliding_window"] = nullptr;
  }
  return json;
}

}  // namespace

HubConfig read_hf_config(const SortedJson& json, const std::string& where) {
  ConfigReader in(json, where);
  const std::string type = in.text("model_type", "");
  ignore_common(in);
  HubConfig config;
  if (type == "gpt2") {
    config = read_gpt2(in);
  } else if (type == "llama" || type == "mistral") {
    config = read_llama(in, false);
  } else if (type == "mixtral") {
    config = read_llama(in, true);
  } else {
    throw input_error("{}: model_type is '{}', expected one of gpt2, llama, mistral, mixtral", where,
                      printable(type));
  }
  config.unknown_keys = in.unread();
  return config;
}

const NameTable& hf_names(const arch::ModelConfig& model) {
  if (model.architecture == "gpt2") return hf_gpt2_names();
  return model.experts > 0 ? hf_mixtral_names() : hf_llama_names();
}

Json hf_config(const arch::ModelConfig& m, Element element, const SpecialTokens& tokens) {
  refuse(m.value_dim != m.head_dim, "value_dim", std::to_string(m.value_dim),
         "Hugging Face models have values as large as keys");
  refuse(m.architecture == "gpt2" && m.experts > 0, "experts", std::to_string(m.experts),
         "a Hugging Face gpt2 has none");
  Json json = m.architecture == "gpt2" ? gpt2_json(m) : llama_json(m);
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
