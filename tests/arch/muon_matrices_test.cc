// Which tensors Muon takes, and its FLOPs against figures worked out by hand.
#include "arch/muon_matrices.h"

#include <set>

#include "arch/architectures.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig sized(const std::string& architecture, std::int64_t experts) {
  ModelConfig config;
  config.architecture = architecture;
  config.layers = 3;
  config.width = 64;
  config.heads = 4;
  if (architecture == "llama") config.kv_heads = 2;
  config.ffn = 100;
  config.vocab = 500;
  config.context = 32;
  config.experts = experts;
  return resolved(config);
}

}  // namespace

TEST_CASE("Muon takes every matrix of the blocks but routers, in every architecture") {
  for (const Architecture& architecture : architectures())
    for (const std::int64_t experts : {0, 2}) {
      const ParamTable table = param_table(sized(architecture.name, experts));
      std::set<std::string> taken, left;
      for (const ParamSpec& spec : table) {
        if (spec.axes.size() == 2) (is_muon_matrix(spec) ? taken : left).insert(spec.key);
        if (spec.axes.size() == 1) CHECK(!is_muon_matrix(spec));
      }
      CAPTURE(architecture.name, experts);
      for (const char* part : {"query", "key", "value", "output"})
        CHECK(taken.contains(fmt::format("attention.{}.weight", part)));
      CHECK(left.contains("embed.token"));
      CHECK(left.contains("mlp.router.weight") == (experts > 0));
      for (const std::string& key : left) CHECK(key.find("mlp.experts") == std::string::npos);
      CHECK(taken.size() >= 6);
    }
}

TEST_CASE("FLOPs of Newton-Schulz are those of its products") {
  const auto one = [](double m, double n) { return 5 * (4 * m * m * n + 2 * m * m * m); };
  CHECK(newton_schulz_flops(sized("gpt2", 0)) == 3 * (4 * one(64, 64) + 2 * one(64, 100)));
  CHECK(newton_schulz_flops(sized("llama", 0)) ==
        3 * (2 * one(64, 64) + 2 * one(32, 64) + 3 * one(64, 100)));
  CHECK(newton_schulz_flops(sized("llama", 4)) ==
        3 * (2 * one(64, 64) + 2 * one(32, 64) + 4 * 3 * one(64, 100)));
}
