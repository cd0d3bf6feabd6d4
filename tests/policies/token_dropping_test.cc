// Dropped tokens: how many pass through a layer, which, what that costs, and what is refused.
#include <cmath>

#include "arch/kept_tokens.h"
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;
using test::work_at;

TEST_CASE("the tokens of the middle layers rise in steps to the whole context") {
  const plan::RunPlan p = planned("token_dropping: {start: 32, step: 16, over: 0.5}");
  for (std::int64_t step = 0; step < 400; ++step) {
    CAPTURE(step);
    const std::int64_t kept = step >= 200 ? 128 : (32 + 96 * step / 200) / 16 * 16;
    const std::vector<arch::LayerWork> layers = work_at(p, step).list(8);
    REQUIRE(layers.size() == 8);
    for (std::int64_t l = 0; l < 8; ++l)
      CHECK(layers[static_cast<std::size_t>(l)].tokens ==
            (l == 0 || l == 7 || kept == 128 ? 0 : kept));
  }
}

TEST_CASE("expected FLOPs of dropped tokens are the sum over the steps") {
  for (const char* policy : {"token_dropping: {start: 32, step: 16, over: 0.5}",
                             "token_dropping: {start: 32, step: 16, over: 1}",
                             "token_dropping: {start: 30, step: 7, over: 0.33}",
                             "token_dropping: {start: 1, step: 127, over: 0.7}"}) {
    CAPTURE(policy);
    const plan::RunPlan p = planned(policy);
    CHECK(test::executed_flops(p, 16) == Approx(p.flops).epsilon(1e-12));
    CHECK(p.flops < planned("").flops);
  }
  // A quarter of the tokens at all steps but the last, in 6 of 8 layers.
  const plan::RunPlan p = planned("token_dropping: {start: 32, step: 96, over: 1}");
  const double layer = test::kMatrices / 4 + test::kAttention / 16;
  const double whole = test::kMatrices + test::kAttention;
  CHECK(p.flops ==
        Approx(test::kPlannedTokens * (6 * layer + 2 * whole + test::kHead)).epsilon(1e-12));
}

TEST_CASE("all tokens are the whole model") {
  const plan::RunPlan p = planned("token_dropping: {start: 128}");
  for (std::int64_t step = 0; step < 400; ++step) CHECK(work_at(p, step).is_whole(8));
  CHECK(p.flops == Approx(planned("").flops).epsilon(1e-14));
}

TEST_CASE("every position is kept equally often, and each sequence and layer has its own") {
  std::vector<int> kept(16);
  for (std::int64_t sequence = 0; sequence < 4000; ++sequence) {
    const std::vector<std::int64_t> positions = arch::kept_tokens(5, sequence, 2, 16, 6);
    REQUIRE(positions.size() == 6);
    CHECK(std::ranges::is_sorted(positions));
    for (const std::int64_t t : positions) ++kept[static_cast<std::size_t>(t)];
  }
  for (const int count : kept) CHECK(std::abs(count - 1500) < 5 * std::sqrt(4000 * 0.375 * 0.625));
  CHECK(arch::kept_tokens(5, 0, 2, 64, 20) != arch::kept_tokens(5, 1, 2, 64, 20));
  CHECK(arch::kept_tokens(5, 0, 2, 64, 20) != arch::kept_tokens(5, 0, 3, 64, 20));
  CHECK(arch::kept_tokens(5, 0, 2, 64, 20) != arch::kept_tokens(6, 0, 2, 64, 20));
  CHECK(arch::kept_tokens(5, 0, 2, 3, 3) == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("tokens are drawn for sequences of the batch, however it is divided into passes") {
  const plan::RunPlan p = planned("token_dropping: {start: 32}", {"batch.micro=4"});
  const arch::StepWork one = plan::step_work(p, p.stages[0], 3, 3, 2, 4),
                       other = plan::step_work(p, p.stages[0], 3, 3, 1, 8);
  CHECK(one.token_seed == other.token_seed);
  CHECK(one.first_sequence == 8);
  CHECK(other.first_sequence == 8);
  CHECK(plan::step_work(p, p.stages[0], 4, 4, 0, 4).token_seed != one.token_seed);
}

TEST_CASE("dropping tokens is refused where there is no middle layer, or too few tokens") {
  check_refused("token_dropping: {start: 32}", "expected at least 3 layers", {"model.layers=2"});
  check_refused("token_dropping: {start: 256}", "start: found 256, expected at most 128");
  check_refused("token_dropping: {start: 32, step: 97}", "step: found 97, expected at most 96");
  check_refused("token_dropping: {start: 32, over: 0}", "over");
  check_refused("token_dropping: {}", "start");
  check_refused("token_dropping: {start: 32}", "found with batch.length_warmup",
                {"batch.length_warmup={start: 16, over: 10}"});
}
