// Muon's Newton-Schulz iterations in the FLOPs of plans; that a run counts the same is checked by
// tests/cli.
#include "arch/muon_matrices.h"
#include "plan/run_plan.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "text/json.h"

using namespace stagedtrain;

namespace {

plan::RunPlan planned(const std::string& optimizer) {
  return plan::resolve(test::two_stages({"optimizer.name=" + optimizer}));
}

}  // namespace

TEST_CASE("a plan counts Muon's iterations in every step, as a part of its own") {
  const plan::RunPlan adamw = plan::resolve(test::two_stages()), muon = planned("muon");
  double sum = 0;
  for (std::size_t i = 0; i < muon.stages.size(); ++i) {
    const plan::StagePlan& stage = muon.stages[i];
    const double part = arch::newton_schulz_flops(stage.model) * static_cast<double>(stage.steps);
    CHECK(plan::optimizer_flops(muon, stage) == part);
    CHECK(stage.flops == Approx(adamw.stages[i].flops + part).epsilon(1e-14));
    CHECK(plan::to_json(muon, {})["stages"][i]["optimizer_flops"] == part);
    CHECK(plan::optimizer_flops(adamw, adamw.stages[i]) == 0);
    sum += stage.flops;
  }
  CHECK(muon.flops == Approx(sum).epsilon(1e-14));
  CHECK(plan::to_text(muon, {}).find("Newton-Schulz") != std::string::npos);
  CHECK(plan::to_text(adamw, {}).find("Newton-Schulz") == std::string::npos);
}

TEST_CASE("a stage that lasts so many FLOPs is shorter with Muon") {
  const auto steps = [](const std::string& optimizer) {
    const schedule::Schedule s =
        test::two_stages({"optimizer.name=" + optimizer, "stages.full.for=10T flops"});
    const plan::RunPlan plan = plan::resolve(s);
    const plan::StagePlan& stage = plan.stages.back();
    const double each = 2048 * plan::flops_per_token(s, stage.model);
    CHECK(stage.flops == Approx(each * static_cast<double>(stage.steps)));
    CHECK(stage.flops >= 10e12);
    CHECK(stage.flops - each < 10e12);
    return stage.steps;
  };
  CHECK(steps("muon") < steps("adamw"));
}
