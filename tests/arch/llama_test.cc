// LLaMA as a table of tensors: published counts, names, roles, default sizes, refusals.
#include <set>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

// LLaMA 2 7B.
ModelConfig llama_7b() {
  ModelConfig config;
  config.architecture = "llama";
  config.layers = 32;
  config.width = 4096;
  config.heads = 32;
  config.vocab = 32000;
  config.context = 4096;
  config.tied = false;
  return config;
}

std::string refused(const ModelConfig& config) {
  return test::refusal(ErrorKind::usage, [&] { resolved(config); });
}

}  // namespace

TEST_CASE("LLaMA 2 7B and LLaMA 3 8B have the published number of parameters") {
  const ParamCount count = count_params(resolved(llama_7b()));
  CHECK(count.total == 6738415616);
  CHECK(count.total - count.non_embedding == 2 * 32000 * 4096);
  CHECK(count.active == count.total);
  ModelConfig three = llama_7b();
  three.kv_heads = 8;
  three.ffn = 14336;
  three.vocab = 128256;
  three.rope_theta = 5e5;
  CHECK(count_params(resolved(three)).total == 8030261248);
}

TEST_CASE("Mixtral 8x7B has the published number of parameters, in all and for a token") {
  ModelConfig config = llama_7b();
  config.kv_heads = 8;
  config.ffn = 14336;
  config.experts = 8;
  const ParamCount count = count_params(resolved(config));
  CHECK(count.total == 46702792704);
  CHECK(count.active == 12879925248);
}

TEST_CASE("every tensor of LLaMA has a unique name and its shape; there are no biases") {
  ModelConfig config = llama_7b();
  config.kv_heads = 4;
  const ParamTable table = param_table(resolved(config));
  CHECK(table.size() == 1 + 32 * 9 + 2);
  std::set<std::string> names;
  for (const ParamSpec& spec : table) {
    names.insert(spec.name);
    CHECK_FALSE(spec.name.ends_with(".bias"));
    CHECK(spec.expert == -1);
  }
  CHECK(names.size() == table.size());
  const auto shape = [&](const char* name) {
    REQUIRE(table.index(name) >= 0);
    return table[static_cast<std::size_t>(table.index(name))].shape();
  };
  using Shape = std::vector<std::int64_t>;
  CHECK(shape("layers.31.attention.query.weight") == Shape{4096, 4096});
  CHECK(shape("layers.31.attention.key.weight") == Shape{512, 4096});
  CHECK(shape("layers.0.mlp.gate.weight") == Shape{11008, 4096});
  CHECK(shape("layers.0.mlp.down.weight") == Shape{4096, 11008});
  CHECK(shape("layers.0.norm_2.weight") == Shape{4096});
  CHECK(shape("head.weight") == Shape{32000, 4096});
  CHECK(table.index("embed.position") == -1);
}

TEST_CASE("the default feed-forward grows as width does") {
  CHECK(resolved(llama_7b()).ffn == 11008);
  for (const std::int64_t width : {64, 128, 192, 256}) {
    ModelConfig config = llama_7b();
    config.width = width;
    config.heads = 4;
    CHECK(resolved(config).ffn == width / 16 * 43);
  }
}

TEST_CASE("LLaMA refuses heads that its groups or its rotation cannot have") {
  ModelConfig config = llama_7b();
  config.kv_heads = 5;
  CHECK(test::contains(refused(config), "model.kv_heads is 5, expected a divisor of model.heads"));
  config = llama_7b();
  config.head_dim = 7;
  CHECK(test::contains(refused(config), "model.head_dim is 7, expected an even number"));
  config = llama_7b();
  config.rope_theta = 0.5;
  CHECK(test::contains(refused(config), "model.rope_theta is 0.5, expected 1 to"));
}

TEST_CASE("a model tells what is not default") {
  ModelConfig config = llama_7b();
  config.kv_heads = 8;
  config.rope_theta = 5e5;
  config.logit_scale = 0.5;
  CHECK(describe(resolved(config)) ==
        "llama, 32 layers x 4096, 32 heads of 128 (8 of keys and values), ffn 11008, context 4096, "
        "vocab 32000, untied head, rope theta 500000, logit scale 0.5");
}
