// Routed layers: which layers, how many tokens, what they cost, and what is refused.
#include "arch/routed_layers.h"

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/distinct_tensors.h"
#include "arch/step_flops.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

arch::ModelConfig routed(std::int64_t layers, std::int64_t every, double share = 0.25) {
  return arch::resolved({.architecture = "llama",
                         .layers = layers,
                         .width = 16,
                         .heads = 2,
                         .ffn = 40,
                         .vocab = 31,
                         .context = 12,
                         .routed_every = every,
                         .routed_share = share});
}

std::string refused(const arch::ModelConfig& config) {
  return test::refusal(ErrorKind::usage, [&] { arch::resolved(config); });
}

// Forward FLOPs of a token in the matrices of a layer and in its attention over 12 tokens.
constexpr double kMatrices = 2 * (4 * 16 * 16 + 3 * 16 * 40), kAttention = 2 * 2 * 16 * 12,
                 kHead = 2 * 16 * 31, kRouter = 2 * 16;

}  // namespace

TEST_CASE("the last of each so many layers has a router of one row, which begins at zero") {
  const arch::ModelConfig model = routed(7, 3);
  CHECK(arch::routed_layers(model) == 2);
  const arch::ParamTable table = arch::param_table(model);
  for (int layer = 0; layer < 7; ++layer) {
    CHECK(arch::is_routed(model, layer) == (layer == 2 || layer == 5));
    const std::int64_t index = table.index(arch::layer_name(layer, "token_router.weight"));
    CHECK((index >= 0) == (layer == 2 || layer == 5));
    if (index < 0) continue;
    const arch::ParamSpec& spec = table[static_cast<std::size_t>(index)];
    CHECK(spec.shape() == std::vector<std::int64_t>{1, 16});
    CHECK(spec.init.kind == arch::Init::Kind::constant);
    CHECK(spec.init.value == 0);
    CHECK(arch::is_token_router(spec));
  }
}

TEST_CASE("parameters are counted as in the whole table") {
  for (const std::int64_t every : {1, 2, 3}) {
    const arch::ModelConfig model = routed(7, every);
    CHECK(arch::count_params(model).total == arch::param_table(model).total_count());
    CHECK(arch::count_params(model).total ==
          arch::count_params(arch::without_routing(model)).total + 7 / every * 16);
  }
}

TEST_CASE("the share of the tokens is rounded up, but not because of rounding errors") {
  CHECK(arch::chosen_tokens(routed(2, 2, 0.5), 7) == 4);
  CHECK(arch::chosen_tokens(routed(2, 2, 0.5), 8) == 4);
  CHECK(arch::chosen_tokens(routed(2, 2, 0.07), 100) == 7);  // 0.07 * 100 is above 7
  CHECK(arch::chosen_tokens(routed(2, 2, 0.001), 100) == 1);
  CHECK(arch::chosen_tokens(routed(2, 2, 1), 100) == 100);
}

TEST_CASE("a step costs the share of a routed layer's matrices, and its square of the attention") {
  const double c = 0.25;
  const auto wanted = [&](double routed_layers, double other_layers, double again) {
    return 3 * (other_layers * (kMatrices + kAttention) +
                routed_layers * (c * kMatrices + kRouter + c * c * kAttention) + kHead) +
           again * routed_layers * (kMatrices + kAttention);
  };
  for (const auto& [layers, every] : {std::pair{4, 2}, {7, 3}, {3, 1}}) {
    CAPTURE(layers, every);
    arch::ModelConfig model = routed(layers, every, c);
    const std::int64_t count = arch::routed_layers(model);
    const auto routed_ones = static_cast<double>(count),
               others = static_cast<double>(layers - count);
    CHECK(arch::flops_per_token(model) == Approx(wanted(routed_ones, others, 0)).epsilon(1e-12));
    CHECK(arch::attention_flops_per_token(model) ==
          Approx(3 * kAttention * (others + c * c * routed_ones)).epsilon(1e-12));
    model.routed_labels = "similarity";
    CHECK(arch::flops_per_token(model) == Approx(wanted(routed_ones, others, 1)).epsilon(1e-12));
    model.routed_loss = 0;  // then nothing reads the labels
    CHECK(arch::flops_per_token(model) == Approx(wanted(routed_ones, others, 0)).epsilon(1e-12));
  }
}

TEST_CASE(
    "FLOPs layer by layer are those of the whole step, and frozen layers cost a forward pass") {
  for (const char* labels : {"own", "similarity"}) {
    arch::ModelConfig model = routed(4, 2);
    model.routed_labels = labels;
    const arch::TrainedParts all{{1, 1, 1, 1}, true, true};
    CHECK(arch::step_flops_per_token(model, {}, all).total ==
          Approx(arch::flops_per_token(model)).epsilon(1e-12));
    CHECK(arch::step_flops_per_token(model, {}, all).attention ==
          Approx(arch::attention_flops_per_token(model)).epsilon(1e-12));
    const double again = model.routed_labels == "own" ? 0 : 2 * (kMatrices + kAttention);
    CHECK(arch::step_flops_per_token(model, {}, {{0, 0, 0, 0}, false, true}).total ==
          Approx(2 * (kMatrices + kAttention + 0.25 * kMatrices + kRouter + kAttention / 16) +
                 again + 2 * kHead)
              .epsilon(1e-12));
  }
}

TEST_CASE("what is computed on all tokens counts all of them") {
  const arch::ModelConfig model = routed(4, 2);
  CHECK(arch::mean_flops_per_token(model, 4).total ==
        arch::flops_per_token(arch::without_routing(model)));
  CHECK(arch::mean_flops_per_token(model, 3).total ==
        Approx(3 * (3 * (kMatrices + kAttention) + kHead)).epsilon(1e-12));
}

TEST_CASE("keys of routed layers that do not fit are refused with what would") {
  arch::ModelConfig model = routed(4, 2);
  model.routed_every = 5;
  CHECK(contains(refused(model), "model.routed_every is 5, expected at most model.layers 4"));
  model.routed_every = 0;
  CHECK(contains(refused(model), "routed_share 0.25"));
  CHECK(contains(refused(model), "without routed layers, expected model.routed_every above 0"));
  model = routed(4, 2);
  model.routed_labels = "all";
  CHECK(contains(refused(model), "model.routed_labels is 'all'"));
  model = routed(4, 2);
  model.experts = 4;
  CHECK(contains(refused(model), "routed_every 2 with 4 experts"));
  model = routed(4, 2);
  model.core = 4;
  CHECK(contains(refused(model), "routed_every 2 with a looped core"));
  model = routed(4, 2);
  model.routed_share = 0;
  CHECK(contains(refused(model), "model.routed_share is 0, expected above 0"));
  CHECK(arch::without_routing(routed(4, 2)).routed_share == arch::ModelConfig{}.routed_share);
}

TEST_CASE("a description names routed layers") {
  CHECK(contains(arch::describe(routed(4, 2)),
                 ", 1 of 2 layers routed (share 0.25, labels own, loss 0.1, base 1, gain 1)"));
  CHECK_FALSE(contains(arch::describe(arch::without_routing(routed(4, 2))), "routed"));
}
