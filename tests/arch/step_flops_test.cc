// FLOPs of passes that run or train a part of a model, against sums written out by hand.
#include "arch/step_flops.h"

#include "arch/architectures.h"
#include "arch/cost.h"
#include "support/catch.h"

using namespace stagedtrain;

namespace {

// Four layers of 12 x 8 x 8 weights; attention of 2 x 2 heads x (4 + 4) x 10 FLOPs a token forward.
arch::ModelConfig model(bool tied = true) {
  return arch::resolved(
      {.layers = 4, .width = 8, .heads = 2, .vocab = 100, .context = 10, .tied = tied});
}
constexpr double kMatrices = 2 * 12 * 8 * 8, kAttention = 2 * 2 * (4 + 4) * 10, kHead = 2 * 100 * 8;

std::vector<bool> all_but(const arch::ModelConfig& config, const std::vector<int>& layers) {
  std::vector<bool> frozen;
  for (const arch::ParamSpec& spec : arch::param_table(config))
    frozen.push_back(std::ranges::find(layers, spec.layer) == layers.end());
  return frozen;
}

}  // namespace

TEST_CASE("all layers, all trained: the model's own count, to the bit") {
  for (const std::int64_t length : {0, 3, 10}) {
    const arch::TokenFlops flops = arch::step_flops_per_token(model(), {}, {}, length);
    CHECK(flops.total == arch::flops_per_token(model(), length));
    CHECK(flops.attention == arch::attention_flops_per_token(model(), length));
    CHECK(arch::mean_flops_per_token(model(), 4, length).total == flops.total);
  }
  CHECK(arch::step_flops_per_token(model()).total == 4 * 3 * (kMatrices + kAttention) + 3 * kHead);
  CHECK(arch::step_flops_per_token(model(), arch::scaled_layers({1, 1, 1, 1})).total ==
        arch::flops_per_token(model()));
}

TEST_CASE("layers that do not run cost nothing; the head always costs the same") {
  const arch::TokenFlops two =
      arch::step_flops_per_token(model(), arch::scaled_layers({1, 0, 0, 1.5}));
  CHECK(two.total == 2 * 3 * (kMatrices + kAttention) + 3 * kHead);
  CHECK(two.attention == 2 * 3 * kAttention);
  CHECK(arch::mean_flops_per_token(model(), 2).total == two.total);
  CHECK(arch::mean_flops_per_token(model(), 2).attention == two.attention);
  CHECK(arch::mean_flops_per_token(model(), 2.5).total ==
        2.5 * 3 * (kMatrices + kAttention) + 3 * kHead);
  CHECK(arch::step_flops_per_token(model(), arch::scaled_layers({0, 0, 0, 0})).total == 3 * kHead);
  const double shorter =
      arch::step_flops_per_token(model(), arch::scaled_layers({1, 0, 0, 1}), {}, 5).total;
  CHECK(two.total - shorter == 2 * 3 * kAttention / 2);
}

TEST_CASE("frozen weights have no gradients, and below the lowest trained one no backward pass") {
  const arch::TrainedParts third = arch::trained_parts(model(), all_but(model(), {2}));
  CHECK(third.layers == std::vector<double>{0, 0, 1, 0});
  CHECK_FALSE(third.below_layers);
  CHECK_FALSE(third.head);
  const arch::TokenFlops flops = arch::step_flops_per_token(model(), {}, third);
  // Forward only in two layers; all in the third; all but weight gradients in the fourth, the head.
  CHECK(flops.total == kMatrices * (1 + 1 + 3 + 2) + kAttention * (1 + 1 + 3 + 3) + 2 * kHead);
  CHECK(flops.attention == kAttention * 8);
  const arch::TrainedParts first = arch::trained_parts(model(), all_but(model(), {0}));
  CHECK(arch::step_flops_per_token(model(), {}, first).total ==
        kMatrices * (3 + 2 + 2 + 2) + kAttention * 12 + 2 * kHead);
}

TEST_CASE("a tied head is trained with the token embedding, and then the pass goes all the way") {
  for (const bool tied : {true, false}) {
    std::vector<bool> frozen;
    for (const arch::ParamSpec& spec : arch::param_table(model(tied)))
      frozen.push_back(spec.name != "embed.token");
    const arch::TrainedParts trained = arch::trained_parts(model(tied), frozen);
    CHECK(trained.below_layers);
    CHECK(trained.head == tied);
    CHECK(arch::step_flops_per_token(model(tied), {}, trained).total ==
          4 * 2 * kMatrices + 4 * 3 * kAttention + (tied ? 3 : 2) * kHead);
  }
}

TEST_CASE("of experts, those that a token goes through count") {
  const arch::ModelConfig config = arch::resolved({.layers = 2,
                                                   .width = 8,
                                                   .heads = 2,
                                                   .vocab = 9,
                                                   .context = 4,
                                                   .experts = 4,
                                                   .experts_per_token = 2});
  std::vector<bool> none(arch::param_table(config).size()), new_experts;
  for (const arch::ParamSpec& spec : arch::param_table(config))
    new_experts.push_back(spec.expert < 2);
  const arch::TrainedParts all = arch::trained_parts(config, none);
  CHECK(all.layers == std::vector<double>{1, 1});
  CHECK(arch::step_flops_per_token(config, {}, all).total == arch::flops_per_token(config));
  const double expert = 2 * 8 * 32, others = 4 * 8 * 8 + 4 * 8;
  CHECK(arch::trained_parts(config, new_experts).layers[1] ==
        Approx(expert / (2 * expert + others)));
}
