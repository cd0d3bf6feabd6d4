// config.json: what hub folders say, and what is refused by the name of its key.
#include "hub/hf_config.h"

#include "hub/hub_models.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/text_file.h"

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
                 "rope_scaling: rope_type is \"llama3\""));
  CHECK(contains(refused("rope_scaling", {{"type", "yarn"}}), "rope_scaling: type is \"yarn\""));
  CHECK(contains(refused("rope_parameters", {{"rope_type", "linear"}}), "rope_parameters"));
  CHECK(contains(refused("sliding_window", 4096), "sliding_window is 4096"));
  CHECK(contains(refused("attention_bias", true), "attention_bias is true"));
  CHECK(contains(refused("mlp_bias", true), "mlp_bias"));
  CHECK(contains(refused("hidden_act", "gelu"), "hidden_act is \"gelu\""));
  CHECK(contains(refused("quantization_config", {{"bits", 4}}), "quantization_config"));
  CHECK(contains(refused("model_type", "qwen3"), "model_type is 'qwen3'"));
  CHECK(contains(refused("num_hidden_layers", "30"), "num_hidden_layers is \"30\""));
  CHECK(contains(refused("num_key_value_heads", 4u), "kv_heads"));
  CHECK(contains(refused("hidden_size", -1), "hidden_size is -1"));
  CHECK(contains(refused("vocab_size", 1e300), "vocab_size"));
  SortedJson json = llama();
  json.erase("intermediate_size");
  CHECK(contains(refused(json), "intermediate_size is missing"));
  CHECK(contains(refused(SortedJson::array()), "expected a JSON object"));
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
        test::small_gpt2(), test::small_gpt2(false)}) {
    const Json json = hub::hf_config(model, hub::Element::f32, {});
    const hub::HubConfig back = hub::read_hf_config(SortedJson::parse(json.dump()), "x");
    CHECK(back.model == model);
    CHECK(back.names == &hub::hf_names(model));
    CHECK(back.unknown_keys.empty());
  }
}
