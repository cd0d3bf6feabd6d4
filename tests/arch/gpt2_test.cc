// GPT-2 as a table of tensors: counts, names, roles, initialisation, refusals.
#include <cmath>
#include <set>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig gpt2_small() {
  ModelConfig config;
  config.layers = 12;
  config.width = 768;
  config.heads = 12;
  config.vocab = 50257;
  config.context = 1024;
  return config;
}

std::string refused(const ModelConfig& config) {
  return test::refusal(ErrorKind::usage, [&] { resolved(config); });
}

}  // namespace

TEST_CASE("GPT-2 124M has the published number of parameters") {
  const ParamCount count = count_params(resolved(gpt2_small()));
  CHECK(count.total == 124439808);
  // All but the two embeddings: 12 layers of 12 d^2 + 13 d, and the final norm's 2 d.
  CHECK(count.non_embedding == 12 * (12 * 768 * 768 + 13 * 768) + 2 * 768);
  CHECK(count.total - count.non_embedding == (50257 + 1024) * 768);
}

TEST_CASE("the other GPT-2 sizes have their number of parameters") {
  const auto [layers, width, heads, total] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t, std::int64_t>(
          {{24, 1024, 16, 354823168}, {36, 1280, 20, 774030080}, {48, 1600, 25, 1557611200}}));
  ModelConfig config = gpt2_small();
  config.layers = layers;
  config.width = width;
  config.heads = heads;
  CHECK(count_params(resolved(config)).total == total);
}

TEST_CASE("an untied head adds one matrix and no training matrix product") {
  ModelConfig config = gpt2_small();
  config.tied = false;
  CHECK(count_params(resolved(config)).total == 124439808 + 50257 * 768);
  CHECK(count_params(resolved(config)).non_embedding ==
        count_params(resolved(gpt2_small())).non_embedding);
  CHECK(flops_per_token(resolved(config)) == flops_per_token(resolved(gpt2_small())));
}

TEST_CASE("derived sizes are filled in and given ones kept") {
  const ModelConfig config = resolved(gpt2_small());
  CHECK(config.head_dim == 64);
  CHECK(config.kv_heads == 12);
  CHECK(config.ffn == 3072);
  CHECK(resolved(config) == config);
  ModelConfig odd = gpt2_small();
  odd.heads = 5;
  odd.head_dim = 32;
  odd.ffn = 100;
  CHECK(resolved(odd).head_dim == 32);
  CHECK(resolved(odd).ffn == 100);
}

TEST_CASE("every tensor of GPT-2 has a unique name, its shape and its role") {
  const ModelConfig config = resolved(gpt2_small());
  const ParamTable table = param_table(config);
  CHECK(table.size() == 2 + 12 * 16 + 2);
  CHECK(table.total_count() == 124439808);
  std::set<std::string> names;
  for (const ParamSpec& spec : table) {
    names.insert(spec.name);
    CHECK(spec.decays == (spec.axes.size() == 2));
    CHECK(spec.name == (spec.layer < 0 ? spec.key : layer_name(spec.layer, spec.key)));
  }
  CHECK(names.size() == table.size());
  const auto at = [&](const char* name) {
    REQUIRE(table.index(name) >= 0);
    return table[static_cast<std::size_t>(table.index(name))];
  };
  CHECK(at("embed.token").shape() == std::vector<std::int64_t>{50257, 768});
  CHECK(at("layers.11.mlp.up.weight").shape() == std::vector<std::int64_t>{3072, 768});
  CHECK(at("layers.0.mlp.down.weight").role == Role::residual_out);
  CHECK(at("layers.0.attention.output.bias").role == Role::residual_out);
  CHECK(at("layers.0.attention.query.bias").role == Role::bias);
  CHECK(at("final_norm.weight").role == Role::final_norm);
  CHECK(table.index("head.weight") == -1);
  CHECK(table.index("layers.12.norm_1.weight") == -1);
}

TEST_CASE("GPT-2 starts with deviation 0.02, residual outputs scaled by the depth") {
  const ParamTable table = param_table(resolved(gpt2_small()));
  for (const ParamSpec& spec : table) {
    INFO(spec.name);
    if (spec.axes.size() == 2) {
      const double std = spec.role == Role::residual_out ? 0.02 / std::sqrt(24.0) : 0.02;
      CHECK(spec.init.kind == Init::Kind::normal);
      CHECK(spec.init.value == Approx(std).epsilon(1e-15));
    } else {
      const bool norm = spec.role == Role::norm || spec.role == Role::final_norm;
      CHECK(spec.init.kind == Init::Kind::constant);
      CHECK(spec.init.value == (norm && spec.name.ends_with("weight") ? 1.0 : 0.0));
    }
  }
}

TEST_CASE("heads that do not divide the width are refused unless head_dim is given") {
  ModelConfig config = gpt2_small();
  config.heads = 7;
  const std::string message = refused(config);
  INFO(message);
  CHECK(test::contains(message, "model.heads 7 does not divide model.width 768"));
  CHECK(test::contains(message, "head_dim"));
  config.head_dim = 64;
  CHECK_NOTHROW(resolved(config));
}

TEST_CASE("sizes that are missing or negative are refused by name") {
  const auto member = GENERATE(&ModelConfig::layers, &ModelConfig::width, &ModelConfig::heads,
                               &ModelConfig::vocab, &ModelConfig::context);
  ModelConfig config = gpt2_small();
  config.*member = GENERATE(0, -4);
  if (member == &ModelConfig::layers) {  // a model may have 0
    if (config.layers < 0) CHECK(test::contains(refused(config), "model.layers"));
    return;
  }
  CHECK(test::contains(refused(config), "expected at least 1"));
}

TEST_CASE("grouped queries and unknown architectures are refused for GPT-2") {
  ModelConfig config = gpt2_small();
  config.kv_heads = 4;
  CHECK(test::contains(refused(config), "model.kv_heads is 4, expected 12"));
  config = gpt2_small();
  config.rope_theta = 500;
  CHECK(test::contains(refused(config), "model.rope_theta is 500: gpt2 has learned positions"));
  config = gpt2_small();
  config.architecture = "gtp2";
  CHECK(test::contains(refused(config), "unknown architecture 'gtp2'; did you mean 'gpt2'?"));
}

TEST_CASE("a model describes itself in one line") {
  CHECK(describe(resolved(gpt2_small())) ==
        "gpt2, 12 layers x 768, 12 heads of 64, ffn 3072, context 1024, vocab 50257");
}
