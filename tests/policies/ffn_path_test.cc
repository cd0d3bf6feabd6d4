// Nested feed-forwards: which units run, what they cost, and what is refused.
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;
using test::work_at;

TEST_CASE("a path runs one of the listed shares of the hidden units in every layer") {
  const plan::RunPlan p = planned("ffn_path: {draw: micro}", {"batch.micro=4"});
  std::vector<int> drawn(513);
  for (std::int64_t step = 0; step < 400; ++step)
    for (std::int64_t pass = 0; pass < 4; ++pass) {
      const std::vector<arch::LayerWork> layers = work_at(p, step, pass).list(8);
      REQUIRE(layers.size() == 8);
      for (const arch::LayerWork& one : layers) CHECK(one.ffn == layers[0].ffn);
      ++drawn[static_cast<std::size_t>(layers[0].units(512))];
    }
  // 1,600 draws of four shares; five standard errors are 87.
  for (const std::size_t units : {64u, 128u, 256u, 512u}) CHECK(std::abs(drawn[units] - 400) < 87);
  const plan::RunPlan step = planned("ffn_path: {draw: step}", {"batch.micro=4"});
  CHECK(work_at(step, 7, 0) == work_at(step, 7, 3));
}

TEST_CASE("the mean of the paper's shares costs 0.469 of the feed-forwards") {
  const double mean = (1.0 / 8 + 1.0 / 4 + 1.0 / 2 + 1) / 4;
  CHECK(mean == Approx(0.46875));
  const double attention_matrices = test::kMatrices / 3, feed_forward = test::kMatrices * 2 / 3;
  const double token =
      8 * (attention_matrices + mean * feed_forward + test::kAttention) + test::kHead;
  CHECK(planned("ffn_path: {}").flops == Approx(test::kPlannedTokens * token).epsilon(1e-12));
  // SwiGLU has three matrices, and its layers no others that depend on the units.
  const plan::RunPlan llama =
      planned("ffn_path: {shares: [0.5]}", {"model.architecture=llama", "model.ffn=384"});
  const double saved = 6 * 8 * 3 * 384 * 128 * 0.5;
  CHECK(arch::flops_per_token(llama.final_model) -
            plan::expected_flops_per_token(llama.stages[0]).total ==
        Approx(saved));
}

TEST_CASE("a path of all units is the whole model") {
  const plan::RunPlan p = planned("ffn_path: {shares: [1]}");
  for (std::int64_t step = 0; step < 20; ++step) CHECK(work_at(p, step).is_whole(8));
  CHECK(p.flops == planned("").flops);
}

TEST_CASE("a path that makes no sense is refused") {
  check_refused("ffn_path: {shares: [0.3]}",
                "shares: found 0.3, which is 153.6 of 512 units, expected a whole number");
  check_refused("ffn_path: {shares: [0.0001]}", "of 512 units, expected a whole number");
  check_refused("ffn_path: {shares: []}", "found no share");
  check_refused("ffn_path: {shares: [1.5]}", "shares.0");
  check_refused("ffn_path: {}", "found in a model of 4 experts", {"model.experts=4"});
  check_refused("ffn_path: {}", "found with optimizer muon", {"optimizer={name: muon}"});
  check_refused("ffn_path: {}, layer_path: {layers: 4}", "expected only one of them");
}
