// Experts: the table of both architectures, what they cost, and refusals.
#include <ctime>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig experts(const char* architecture) {
  ModelConfig config;
  config.architecture = architecture;
  config.layers = 2;
  config.width = 16;
  config.heads = 4;
  config.ffn = 24;
  config.vocab = 11;
  config.context = 8;
  config.experts = 12;
  config.experts_per_token = 3;
  return config;
}

}  // namespace

TEST_CASE("experts are tensors of their own behind a router, in every architecture") {
  for (const Architecture& architecture : architectures()) {
    CAPTURE(architecture.name);
    const ParamTable table = param_table(resolved(experts(architecture.name)));
    const auto at = [&](const char* name) {
      REQUIRE(table.index(name) >= 0);
      return table[static_cast<std::size_t>(table.index(name))];
    };
    const ParamSpec router = at("layers.1.mlp.router.weight");
    CHECK(router.role == Role::matrix);
    CHECK(router.axes == std::vector<AxisSize>{{Axis::experts, 12}, {Axis::residual, 16}});
    CHECK(router.expert == -1);
    CHECK(router.decays);
    const ParamSpec up = at("layers.1.mlp.experts.11.up.weight");
    CHECK(up.key == "mlp.experts.11.up.weight");
    CHECK(up.expert == 11);
    CHECK(up.shape() == std::vector<std::int64_t>{24, 16});
    // Where a norm follows the branch, that norm is what is added to the residual stream.
    const bool norm_follows = block_style(experts(architecture.name)).norms_after;
    CHECK(at("layers.0.mlp.experts.0.down.weight").role ==
          (norm_follows ? Role::matrix : Role::residual_out));
    CHECK(at("layers.1.norm_1.weight").expert == -1);
    CHECK(table.index("layers.0.mlp.up.weight") == -1);
    CHECK(table.index("layers.0.mlp.experts.12.up.weight") == -1);
  }
}

TEST_CASE("a token costs its own experts and the router, however many there are") {
  for (const Architecture& architecture : architectures()) {
    CAPTURE(architecture.name);
    ModelConfig config = experts(architecture.name);
    const double many = flops_per_token(resolved(config));
    config.experts = 3;
    const double few = flops_per_token(resolved(config));
    CHECK(many - few == 6.0 * 2 * (12 - 3) * 16);
    CHECK(count_params(resolved(config)).active == count_params(resolved(config)).total);
    config.experts = 0;
    const double matrices = architecture.style.gated ? 3 : 2;
    CHECK(few - flops_per_token(resolved(config)) == 6.0 * 2 * (3 * 16 + 2 * matrices * 16 * 24));
  }
}

TEST_CASE("more experts for a token than there are is refused") {
  ModelConfig config = experts("gpt2");
  config.experts_per_token = 13;
  CHECK(test::contains(test::refusal(ErrorKind::usage, [&] { resolved(config); }),
                       "model.experts_per_token is 13, expected at most model.experts 12"));
  config.experts = 0;
  CHECK_NOTHROW(resolved(config));
}

TEST_CASE("a model with experts describes them") {
  ModelConfig config = experts("gpt2");
  CHECK(describe(resolved(config)).ends_with("vocab 11, 12 experts (3 a token)"));
  config.router_loss = 0;
  CHECK(describe(resolved(config)).ends_with("12 experts (3 a token, router loss 0)"));
}

TEST_CASE("a table of ten thousand experts is made and searched in moments") {
  ModelConfig config = experts("llama");
  config.layers = 32;
  config.experts = 320;
  const std::clock_t start = std::clock();  // of the processor: others may be busy
  const ParamTable table = param_table(resolved(config));
  CHECK(table.size() == 1 + 32 * (6 + 1 + 3 * 320) + 1);
  std::size_t found = 0;
  for (std::size_t i = 0; i < table.size(); ++i)
    found += table.index(table[i].name) == static_cast<std::int64_t>(i);
  CHECK(found == table.size());
  CHECK(std::clock() - start < 2 * CLOCKS_PER_SEC);
}
