// Reads config.json: which keys are used, which must have one value, and which are ignored.
#include "foreign/hf_config.h"

#include "base/error.h"
#include "modelfiles/checked_config.h"
#include "modelfiles/config_reader.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::hub {
namespace {

// Ignores keys for training, generation and housekeeping, which do not affect the logits.
void ignore_common(ConfigReader& in) {
  in.ignore({"architectures",
             "model_type",
             "torch_dtype",
             "dtype",
             "transformers_version",
             "_name_or_path",
             "use_cache",
             "initializer_range",
             "bos_token_id",
             "eos_token_id",
             "pad_token_id",
             "unk_token_id",
             "sep_token_id",
             "decoder_start_token_id",
             "attention_dropout",
             "hidden_dropout",
             "return_dict",
             "output_attentions",
             "output_hidden_states",
             "output_router_logits",
             "gradient_checkpointing",
             "task_specific_params",
             "id2label",
             "label2id",
             "_attn_implementation_autoset",
             "attn_implementation",
             "is_llama_config",
             "transformers.js_config",
             "chunk_size_feed_forward",
             "problem_type",
             "tokenizer_class",
             "pad_token",
             "auto_map",
             "max_window_layers",
             "router_jitter_noise"});
  in.require("quantization_config", {nullptr}, "quantised weights are not supported");
  in.require("is_decoder", {false, true}, "expected a boolean");
  in.require("is_encoder_decoder", {false}, "only decoders are supported");
  in.require("add_cross_attention", {false}, "cross-attention is not supported");
}

// Reads the rope scaling from an object that may contain it, with the factors that its type uses.
void read_scaling(ConfigReader& rope, arch::ModelConfig& model) {
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  rope.ignore({"rope_type", "type"});
  if (type == "default") return;
  if (type != "linear" && type != "llama3")
    throw input_error("{}: rope_type is '{}', expected default, linear or llama3", rope.where(),
                      printable(type));
  model.rope_scaling = type;
  model.rope_factor = rope.number("factor", 1);
  if (type == "linear") return;
  model.rope_low = rope.number("low_freq_factor", 1);
  model.rope_high = rope.number("high_freq_factor", 4);
  model.rope_original = rope.count("original_max_position_embeddings");
}

// Reads the base, share and scaling of the rotary embedding. Older files have them as top-level
// keys; transformers 5 writes them into rope_parameters.
void read_rope(ConfigReader& in, arch::ModelConfig& model, const char* base, const char* share,
               double usual_share) {
  model.rope_theta = in.number(base, 1e4);
  model.rotary_share = in.number(share, usual_share);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const SortedJson* object = in.object(key);
    if (!object) continue;
    ConfigReader rope(*object, in.where() + ": " + key);
    model.rope_theta = rope.number("rope_theta", model.rope_theta);
    model.rotary_share = rope.number("partial_rotary_factor", model.rotary_share);
    read_scaling(rope, model);
  }
  in.require("rope_interleaved", {false}, "only RoPE on halves is supported");
}

// Requires every layer to have full attention.
void read_layer_types(ConfigReader& in) {
  for (const std::string& type : in.texts("layer_types"))
    if (type != "full_attention")
      throw input_error(
          "{}: layer_types has '{}', expected full_attention: only attention over the whole "
          "context is supported",
          in.where(), printable(type));
}

// Accepts a sliding window only if it is switched off.
void read_window(ConfigReader& in) {
  constexpr const char* kWhy = "only attention over the whole context is supported";
  if (in.has("use_sliding_window") && !in.flag("use_sliding_window", false)) {
    in.ignore({"sliding_window"});
    return;
  }
  in.require("sliding_window", {nullptr}, kWhy);
  in.require("use_sliding_window", {false}, kWhy);
}

// Reads the keys that llama-like models share.
arch::ModelConfig read_decoder(ConfigReader& in, const char* architecture, double norm_eps) {
  arch::ModelConfig model;
  model.architecture = architecture;
  model.width = in.count("hidden_size");
  model.layers = in.count("num_hidden_layers");
  model.heads = in.count("num_attention_heads");
  model.kv_heads = in.count("num_key_value_heads", model.heads);
  model.head_dim = in.count("head_dim", 0);
  model.ffn = in.count("intermediate_size");
  model.vocab = in.count("vocab_size");
  model.context = in.count("max_position_embeddings", 2048);
  model.norm_eps = in.number("rms_norm_eps", norm_eps);
  model.tied = in.flag("tie_word_embeddings", false);
  read_rope(in, model, "rope_theta", "partial_rotary_factor", 1);
  if (model.rotary_share != 1)
    throw input_error(
        "{}: partial_rotary_factor is {}, expected 1: only RoPE on all of a head is supported",
        in.where(), model.rotary_share);
  read_window(in);
  read_layer_types(in);
  in.require("hidden_act", {"silu", "swish"}, "only SiLU gates are supported");
  in.require("attention_bias", {false}, "such biases are not supported");
  in.require("mlp_bias", {false}, "such biases are not supported");
  in.require("pretraining_tp", {1}, "sliced weights are not supported");
  in.require("clip_qkv", {nullptr}, "clipping queries, keys and values is not supported");
  return model;
}

arch::ModelConfig read_llama(ConfigReader& in) {
  in.require("num_local_experts", {nullptr, 0, 1},
             "model_type mixtral has experts, llama has none");
  return read_decoder(in, "llama", 1e-6);
}

arch::ModelConfig read_mixtral(ConfigReader& in) {
  arch::ModelConfig model = read_decoder(in, "llama", 1e-5);
  model.experts = in.count("num_local_experts");
  model.experts_per_token = in.count("num_experts_per_tok", 2);
  model.router_loss = in.number("router_aux_loss_coef", 0.001);
  return model;
}

arch::ModelConfig read_qwen2(ConfigReader& in) { return read_decoder(in, "qwen2", 1e-6); }
arch::ModelConfig read_olmo2(ConfigReader& in) { return read_decoder(in, "olmo2", 1e-5); }

arch::ModelConfig read_qwen3(ConfigReader& in) {
  arch::ModelConfig model = read_decoder(in, "qwen3", 1e-6);
  if (model.head_dim == 0) model.head_dim = 128;
  return model;
}

arch::ModelConfig read_qwen3_moe(ConfigReader& in) {
  arch::ModelConfig model = read_decoder(in, "qwen3", 1e-6);
  model.ffn = in.count("moe_intermediate_size");
  model.experts = in.count("num_experts", in.count("num_local_experts", 128));
  model.experts_per_token = in.count("num_experts_per_tok", 8);
  model.norm_topk = in.flag("norm_topk_prob", false);
  model.router_loss = in.number("router_aux_loss_coef", 0.001);
  in.require("decoder_sparse_step", {1}, "all layers must have experts");
  in.require("mlp_only_layers", {nullptr, SortedJson::array()}, "all layers must have experts");
  return model;
}

arch::ModelConfig read_olmoe(ConfigReader& in) {
  arch::ModelConfig model = read_decoder(in, "olmoe", 1e-5);
  model.experts = in.count("num_experts", in.count("num_local_experts", 64));
  model.experts_per_token = in.count("num_experts_per_tok", 8);
  model.norm_topk = in.flag("norm_topk_prob", false);
  model.router_loss = in.number("router_aux_loss_coef", 0.01);
  return model;
}

arch::ModelConfig read_neox(ConfigReader& in) {
  arch::ModelConfig model;
  model.architecture = "neox";
  model.width = in.count("hidden_size");
  model.layers = in.count("num_hidden_layers");
  model.heads = in.count("num_attention_heads");
  model.ffn = in.count("intermediate_size");
  model.vocab = in.count("vocab_size");
  model.context = in.count("max_position_embeddings", 2048);
  model.norm_eps = in.number("layer_norm_eps", 1e-5);
  model.tied = in.flag("tie_word_embeddings", false);
  read_rope(in, model, "rotary_emb_base", "rotary_pct", 0.25);
  in.require("hidden_act", {"gelu"}, "only GELU by the error function is supported");
  in.require("use_parallel_residual", {true},
             "only branches that read the same residual stream are supported");
  in.require("attention_bias", {true}, "only neox with biases is supported");
  in.ignore({"classifier_dropout"});
  return model;
}

arch::ModelConfig read_gpt2(ConfigReader& in) {
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
  in.require("activation_function", {"gelu_new", "gelu_pytorch_tanh"},
             "only GELU (tanh) is supported");
  in.require("scale_attn_weights", {true}, "only scaled attention is supported");
  in.require("scale_attn_by_inverse_layer_idx", {false},
             "only the same scale in all layers is supported");
  in.ignore({"reorder_and_upcast_attn", "attn_pdrop", "embd_pdrop", "resid_pdrop",
             "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
             "summary_type", "summary_use_proj"});
  return model;
}

// nanoGPT's model_args, which its converted checkpoint has as config.json (see the refusal of
// pickles in foreign_model.cc).
arch::ModelConfig read_nanogpt(ConfigReader& in) {
  arch::ModelConfig model;
  model.architecture = "gpt2";
  model.width = in.count("n_embd");
  model.layers = in.count("n_layer");
  model.heads = in.count("n_head");
  model.vocab = in.count("vocab_size");
  model.context = in.count("block_size");
  in.require("bias", {true}, "only nanoGPT models with biases are supported");
  in.ignore({"dropout"});
  return model;
}

struct ModelType {
  const char* name;
  arch::ModelConfig (*read)(ConfigReader& in);
};
constexpr ModelType kModelTypes[] = {
    {"gpt2", read_gpt2},     {"gpt_neox", read_neox},       {"llama", read_llama},
    {"mistral", read_llama}, {"mixtral", read_mixtral},     {"nanogpt", read_nanogpt},
    {"olmo2", read_olmo2},   {"olmoe", read_olmoe},         {"qwen2", read_qwen2},
    {"qwen3", read_qwen3},   {"qwen3_moe", read_qwen3_moe},
};

}  // namespace

std::string hf_model_types() {
  std::vector<std::string> names;
  for (const ModelType& type : kModelTypes) names.push_back(type.name);
  return join(names, ", ");
}

HubConfig read_hf_config(const SortedJson& json, const std::string& where) {
  ConfigReader in(json, where);
  const std::string name = in.text("model_type", "");
  ignore_common(in);
  for (const ModelType& type : kModelTypes) {
    if (name != type.name) continue;
    const arch::ModelConfig model = checked(type.read(in), where);
    return {model, name == "nanogpt" ? &nanogpt_names() : &hf_names(model), in.unread()};
  }
  throw input_error("{}: model_type is '{}', expected one of {}", where, printable(name),
                    hf_model_types());
}

}  // namespace stagedtrain::hub
