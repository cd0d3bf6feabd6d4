// What a schedule's parameterization does to the models of a plan, and which ones are refused.
#include "plan/parameterization.h"

#include "forecast/frontier.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"

using namespace stagedtrain;

namespace {

plan::RunPlan plan_with(const std::string& parameterization,
                        const std::vector<std::string>& more = {}) {
  std::vector<std::string> edits = {"parameterization=" + parameterization};
  edits.insert(edits.end(), more.begin(), more.end());
  return plan::resolve(test::two_stages(edits));
}

}  // namespace

TEST_CASE("all stages have the parameterization, with the final model's depth") {
  const plan::RunPlan plan = plan_with("{base_width: 64, base_layers: 3}");
  for (const plan::StagePlan& stage : plan.stages)
    CHECK(stage.model.parameterization == arch::Parameterization{64, 3, 6});
  CHECK(plan_with("{base_width: 64}").final_model.parameterization ==
        arch::Parameterization{64, 0, 0});
  CHECK(plan_with("{base_width: 64, base_layers: 3, final_layers: 9}")
            .final_model.parameterization.final_layers == 9);
  CHECK(plan::resolve(test::two_stages()).final_model.parameterization == arch::Parameterization{});
}

TEST_CASE("the table says what a parameterization does, and nothing without one") {
  const std::string text = plan::to_text(plan_with("{base_width: 64, base_layers: 3}"));
  CHECK(text.find("width 64 (muP)") != std::string::npos);
  CHECK(text.find("x 0.5 in shallow") != std::string::npos);
  CHECK(text.find("residual branches x 3 / 6 in every stage") != std::string::npos);
  CHECK(plan::to_text(plan::resolve(test::two_stages())).find("muP") == std::string::npos);
}

TEST_CASE("a resolved schedule keeps its parameterization") {
  const plan::RunPlan plan = plan_with("{base_width: 64, base_layers: 3}");
  const plan::RunPlan again =
      plan::resolve(schedule::parse(plan::resolved_yaml(plan), "resolved.yaml"));
  CHECK(again.final_model == plan.final_model);
  CHECK(again.stages[0].model == plan.stages[0].model);
}

TEST_CASE("a frontier's sizes are final models of their own") {
  const plan::RunPlan plan =
      plan_with("{base_width: 64, base_layers: 3}", {"scratch.frontier.sizes=[{layers: 12}]"});
  CHECK(plan::resolve_frontier(plan)[0].budgets[0].final_model.parameterization.final_layers == 12);
}

TEST_CASE("what cannot be a parameterization is refused") {
  const auto refused = [](const std::string& parameterization,
                          const std::vector<std::string>& more = {}) {
    return test::refusal(ErrorKind::usage, [&] { plan_with(parameterization, more); });
  };
  CHECK(refused("{base_width: 0}").find("base_width") != std::string::npos);
  CHECK(refused("{base_width: -64}").find("base_width") != std::string::npos);
  CHECK(refused("{base_layers: 2}").find("base_width") != std::string::npos);
  CHECK(refused("{base_width: 64, base_layers: -1}").find("base_layers") != std::string::npos);
  CHECK(refused("{base_width: 64, width: 3}").find("width") != std::string::npos);
  CHECK(refused("{base_width: 64, final_layers: 6}").find("without base_layers") !=
        std::string::npos);
  const std::string muon = refused("{base_width: 64, base_layers: 3}", {"optimizer={name: muon}"});
  CHECK(muon.find("base_width works with muon") != std::string::npos);
  CHECK(plan_with("{base_width: 64}", {"optimizer={name: muon}"})
            .final_model.parameterization.base_width == 64);
}
