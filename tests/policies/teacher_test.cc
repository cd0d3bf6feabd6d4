// A teacher and its student: what they cost, and what is refused.
#include "arch/corner.h"
#include "plan/memory.h"
#include "plan/processes.h"
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;

TEST_CASE("teacher and student cost what both cost alone") {
  using test::kAttention, test::kHead, test::kMatrices;
  const double teacher = 8 * (kMatrices + kAttention) + kHead;
  const plan::RunPlan half = planned("teacher: {}"), quarter = planned("teacher: {factor: 4}");
  CHECK(half.flops ==
        Approx(test::kPlannedTokens * (teacher + 8 * (kMatrices / 4 + kAttention / 2) + kHead / 2))
            .epsilon(1e-12));
  CHECK(quarter.flops ==
        Approx(test::kPlannedTokens * (teacher + 8 * (kMatrices / 16 + kAttention / 4) + kHead / 4))
            .epsilon(1e-12));
  const arch::TokenFlops shorter = plan::expected_flops_per_token(half.stages[0], 64);
  CHECK(shorter.attention == Approx(8 * 1.5 * kAttention / 2));
  CHECK(test::contains(plan::to_text(half), "a student of width 64"));
}

TEST_CASE("a student's weights, gradients and activations are planned") {
  const plan::RunPlan with = planned("teacher: {}"), plain = planned("");
  const auto activations = [](const plan::RunPlan& p) {
    return plan::activation_memory(p.schedule, plan::executed_model(p.stages[0]),
                                   schedule::Recompute::none);
  };
  const double student =
      static_cast<double>(arch::count_params(arch::corner_model(plain.final_model, 2)).total);
  CHECK(activations(with) > 1.4 * activations(plain));
  CHECK(static_cast<double>(with.stages[0].memory_bytes - plain.stages[0].memory_bytes) ==
        Approx(12 * student + activations(with) - activations(plain)));
}

TEST_CASE("a teacher is refused where the model has no corner, or cannot be run with one") {
  check_refused("teacher: {factor: 3}", "teacher: found width 128, expected a multiple of 3");
  check_refused("teacher: {factor: 8}", "teacher: found heads 4, expected a multiple of 8");
  check_refused("teacher: {}", "found in a model with 4 experts", {"model.experts=4"});
  check_refused("teacher: {}", "found in a model with a looped core",
                {"model.core=2", "model.prelude=3", "model.coda=3", "model.passes=2"});
  check_refused("teacher: {}, layer_path: {layers: 6}", "expected only one of them");
  check_refused("teacher: {temperature: 0}", "temperature");
  check_refused("teacher: {kd: -1}", "kd");
  const std::string masked = test::refusal(ErrorKind::usage, [&] {
    plan::resolve(
        test::two_stages({"stages.1.grow=[{operator: mask, layers: 6}]", "stages.1.teacher={}"}));
  });
  CHECK(test::contains(masked, "found with the operator mask"));
  const std::string sharded = test::refusal(ErrorKind::usage, [] {
    plan::refuse_sharding(planned("teacher: {}"), plan::Sharding::full);
  });
  CHECK(test::contains(sharded, "stage whole, which has teacher"));
  CHECK_NOTHROW(plan::refuse_sharding(planned("teacher: {}"), plan::Sharding::optimizer));
}
