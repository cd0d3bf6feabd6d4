// The architectures beside GPT-2 and LLaMA: published counts, tensors, rotary frequencies, refusals.
#include <cmath>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/rotary.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig model(const char* architecture, std::int64_t layers, std::int64_t width,
                  std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                  std::int64_t ffn, std::int64_t vocab, bool tied) {
  ModelConfig config;
  config.architecture = architecture;
  config.layers = layers;
  config.width = width;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = head_dim;
  config.ffn = ffn;
  config.vocab = vocab;
  config.context = 2048;
  config.tied = tied;
  return config;
}
ModelConfig pythia_160m() {
  ModelConfig config = model("neox", 12, 768, 12, 12, 64, 3072, 50304, false);
  config.rotary_share = 0.25;
  return config;
}

std::string refused(const ModelConfig& config) {
  return test::refusal(ErrorKind::usage, [&] { resolved(config); });
}

}  // namespace

TEST_CASE("Qwen 2.5, Qwen 3, OLMo 2 and Pythia have the published number of parameters") {
  const auto count = [](const ModelConfig& config) { return count_params(resolved(config)).total; };
  CHECK(count(model("qwen2", 24, 896, 14, 2, 64, 4864, 151936, true)) == 494032768);
  CHECK(count(model("qwen3", 28, 1024, 16, 8, 128, 3072, 151936, true)) == 596049920);
  ModelConfig olmoe = model("olmoe", 16, 2048, 16, 16, 128, 1024, 50304, false);
  olmoe.experts = 64;
  CHECK(count(olmoe) == 6919161856);  // OLMoE-1B-7B
  CHECK(count(model("olmo2", 16, 2048, 16, 16, 128, 8192, 100352, false)) == 1484916736);
  CHECK(count(pythia_160m()) == 162322944);
}

TEST_CASE("norms and biases stand where the architecture has them") {
  const auto has = [](const char* architecture, const char* name) {
    return param_table(resolved(model(architecture, 1, 16, 2, 2, 8, 24, 11, true))).index(name) >= 0;
  };
  CHECK(has("qwen2", "layers.0.attention.key.bias"));
  CHECK_FALSE(has("qwen2", "layers.0.attention.output.bias"));
  CHECK_FALSE(has("qwen2", "layers.0.norm_1.bias"));
  CHECK(has("qwen3", "layers.0.attention.query_norm.weight"));
  CHECK_FALSE(has("qwen3", "layers.0.attention.query.bias"));
  CHECK(has("neox", "layers.0.mlp.down.bias"));
  CHECK_FALSE(has("neox", "embed.position"));
  const auto spec = [](const char* architecture, const char* name) {
    const ParamTable table = param_table(resolved(model(architecture, 1, 16, 2, 1, 8, 24, 11, true)));
    return table[static_cast<std::size_t>(table.index(name))];
  };
  CHECK(spec("qwen3", "layers.0.attention.key_norm.weight").shape() == std::vector<std::int64_t>{8});
  CHECK(spec("olmo2", "layers.0.attention.query_norm.weight").shape() ==
        std::vector<std::int64_t>{16});
  CHECK(spec("olmo2", "layers.0.attention.key_norm.weight").shape() == std::vector<std::int64_t>{8});
  // What adds to the residual stream is the norm, not the matrix before it.
  CHECK(spec("olmo2", "layers.0.norm_2.weight").role == Role::branch_norm);
  CHECK(spec("olmo2", "layers.0.mlp.down.weight").role == Role::matrix);
  CHECK(spec("qwen3", "layers.0.mlp.down.weight").role == Role::residual_out);
}

TEST_CASE("rotary frequencies: plain, a share, linear, Llama 3.1's") {
  ModelConfig config = model("llama", 1, 64, 1, 1, 64, 24, 11, true);
  config.rope_theta = 5e5;
  const std::vector<double> plain = rotary_frequencies(resolved(config));
  REQUIRE(plain.size() == 32);
  CHECK(plain[0] == 1);
  CHECK(std::abs(plain[16] - 1 / std::sqrt(5e5)) < 1e-12);
  config.rope_scaling = "linear";
  config.rope_factor = 4;
  CHECK(rotary_frequencies(resolved(config))[5] == plain[5] / 4);
  config.rope_scaling = "llama3";
  config.rope_factor = 8;
  const std::vector<double> scaled = rotary_frequencies(resolved(config));
  CHECK(scaled[0] == plain[0]);
  CHECK(scaled[31] == plain[31] / 8);
  // 8192 tokens and wavelengths of 2048 to 8192 tokens are blended: pair 15 turns 2.8 times.
  CHECK(scaled[15] < plain[15]);
  CHECK(scaled[15] > plain[15] / 8);
  const std::vector<double> partly = rotary_frequencies(resolved(pythia_160m()));
  CHECK(partly.size() == 8);
}

TEST_CASE("what an architecture cannot be is refused") {
  ModelConfig config = pythia_160m();
  config.kv_heads = 4;
  CHECK(test::contains(refused(config), "neox has no grouped queries"));
  config = pythia_160m();
  config.rotary_share = 0.05;
  CHECK(test::contains(refused(config), "is 3 entries, expected an even number"));
  config = model("qwen3", 1, 16, 2, 2, 8, 24, 11, true);
  config.rotary_share = 0.5;
  CHECK(test::contains(refused(config), "qwen3 rotates whole heads"));
  config = model("llama", 1, 16, 2, 2, 8, 24, 11, true);
  config.rope_factor = 2;
  CHECK(test::contains(refused(config), "model.rope_factor is 2, expected 1"));
  config.rope_scaling = "yarn";
  CHECK(test::contains(refused(config), "model.rope_scaling is 'yarn'"));
  config.rope_scaling = "linear";
  config.rope_high = 5;
  CHECK(test::contains(refused(config), "rope_scaling: llama3 only"));
  config = model("gpt2", 1, 16, 2, 2, 8, 24, 11, true);
  config.rope_scaling = "linear";
  CHECK(test::contains(refused(config), "model.rope_scaling: gpt2 has learned positions"));
}
