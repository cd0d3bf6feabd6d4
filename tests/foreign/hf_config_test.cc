// config.json: what hub folders say, and what is refused by the name of its key.
#include "foreign/hf_config.h"

#include "hub/hub_models.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

SortedJson llama() {
  return SortedJson::parse(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
    "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536,
    "max_position_embeddings": 8192, "num_attention_heads": 9, "num_hidden_layers": 30,
    "num_key_value_heads": 3, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 100000,
    "rope_interleaved": false, "tie_word_embeddings": true, "vocab_size": 49152,
    "attention_bias": false, "pretraining_tp": 1, "torch_dtype": "bfloat16"})");
}

std::string refused(const SortedJson& json) {
  return test::refusal(ErrorKind::input, [&] { hub::read_hf_config(json, "config.json"); });
}
std::string refused(const char* key, const SortedJson& value) {
  SortedJson json = llama();
  json[key] = value;
  return refused(json);
}

}  // namespace

TEST_CASE("SmolLM2's config.json is read") {
  const hub::HubConfig config = hub::read_hf_config(llama(), "config.json");
  CHECK(describe(config.model) ==
        "llama, 30 layers x 576, 9 heads of 64 (3 of keys and values), ffn 1536, context 8192, "
        "vocab 49152, rope theta 100000");
  CHECK(config.unknown_keys.empty());
}

TEST_CASE("what would compute something else is refused by its key") {
  CHECK(contains(refused("rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}),
                 "rope_scaling: original_max_position_embeddings is missing"));
  CHECK(contains(refused("rope_scaling", {{"type", "yarn"}}), "rope_scaling: rope_type is 'yarn'"));
  CHECK(contains(refused("rope_parameters", {{"rope_type", "dynamic"}}), "rope_parameters"));
  CHECK(contains(refused("partial_rotary_factor", 0.5), "partial_rotary_factor is 0.5"));
  CHECK(contains(refused("layer_types", {"full_attention", "sliding_attention"}),
                 "layer_types has 'sliding_attention'"));
  CHECK(contains(refused("sliding_window", 4096), "sliding_window is 4096"));
  CHECK(contains(refused("attention_bias", true), "attention_bias is true"));
  CHECK(contains(refused("mlp_bias", true), "mlp_bias"));
  CHECK(contains(refused("hidden_act", "gelu"), "hidden_act is \"gelu\""));
  CHECK(contains(refused("quantization_config", {{"bits", 4}}), "quantization_config"));
  CHECK(contains(refused("model_type", "falcon"), "model_type is 'falcon'"));
  CHECK(contains(refused("num_hidden_layers", "30"), "num_hidden_layers is \"30\""));
  CHECK(contains(refused("num_key_value_heads", 4u), "kv_heads"));
  CHECK(contains(refused("hidden_size", -1), "hidden_size is -1"));
  CHECK(contains(refused("vocab_size", 1e300), "vocab_size"));
  SortedJson json = llama();
  json.erase("intermediate_size");
  CHECK(contains(refused(json), "intermediate_size is missing"));
  CHECK(contains(refused(SortedJson::array()), "expected a JSON object"));
}

TEST_CASE("what the other model types would compute differently is refused by its key") {
  const auto with = [](const char* type, const char* key, const SortedJson& value) {
    SortedJson json = llama();
    json["model_type"] = type;
    if (type == std::string("gpt_neox")) json["hidden_act"] = "gelu";
    json[key] = value;
    return refused(json);
  };
  CHECK(contains(with("gpt_neox", "use_parallel_residual", false), "use_parallel_residual"));
  CHECK(contains(with("gpt_neox", "hidden_act", "gelu_new"), "hidden_act"));
  CHECK(contains(with("qwen2", "use_sliding_window", true), "use_sliding_window is true"));
  CHECK(contains(with("olmo2", "clip_qkv", 8.0), "clip_qkv"));
  SortedJson moe = llama();
  moe["model_type"] = "qwen3_moe";
  moe["moe_intermediate_size"] = 64u;
  moe["num_experts"] = 4u;
  moe["num_experts_per_tok"] = 2u;
  CHECK_FALSE(hub::read_hf_config(moe, "x").model.norm_topk);
  moe["mlp_only_layers"] = {0};
  CHECK(contains(refused(moe), "mlp_only_layers"));
}

TEST_CASE("a window that is switched off is none; Llama 3.1's scaling is read") {
  SortedJson json = llama();
  json["model_type"] = "qwen2";
  json["sliding_window"] = 32768u;
  json["use_sliding_window"] = false;
  json["layer_types"] = {"full_attention", "full_attention"};
  CHECK(hub::read_hf_config(json, "x").model.architecture == "qwen2");
  json = llama();
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 32.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192u}};
  const arch::ModelConfig model = hub::read_hf_config(json, "x").model;
  CHECK(model.rope_scaling == "llama3");
  CHECK(model.rope_factor == 32);
  CHECK(model.rope_original == 8192);
}

TEST_CASE("keys that are unknown are told") {
  SortedJson json = llama();
  json["embedding_multiplier"] = 12;
  CHECK(hub::read_hf_config(json, "x").unknown_keys ==
        std::vector<std::string>{"embedding_multiplier"});
}

TEST_CASE("a configuration that is written reads back as the same model") {
  for (const arch::ModelConfig& model :
       {test::small_llama(), test::small_llama(false), test::small_llama(true, 3),
        test::small_gpt2(), test::small_gpt2(false), test::small_scaled("linear"),
        test::small_scaled("llama3"), test::small_of("qwen2"), test::small_of("qwen3"),
        test::small_of("qwen3", true, 4), test::small_of("olmo2", false),
        test::small_of("olmoe", false, 4), test::small_of("neox")}) {
    const Json json = hub::hf_config(model, hub::Element::f32, {});
    const hub::HubConfig back = hub::read_hf_config(SortedJson::parse(json.dump()), "x");
    CHECK(back.model == model);
    CHECK(back.names == &hub::hf_names(model));
    CHECK(back.unknown_keys.empty());
  }
}
