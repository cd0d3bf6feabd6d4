// Rules of the literature as schedules that run.
#include "lengths/rule_plan.h"

#include <algorithm>

#include "plan/run_plan.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

RulePlan planned(const std::string& rule, std::int64_t stages = 0,
                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> edits = {
      "model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
      "batch={sequences: 480, micro: 16}", "stages=[{name: whole, for: 2.5G tokens}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return plan_by_rule(test::two_stages(edits), {.rule = rule, .stages = stages});
}

// As planned, and again from its own YAML.
RunPlan resolved(const RulePlan& plan) {
  const RunPlan first = resolve(plan.schedule);
  const RunPlan again = resolve(schedule::parse(resolved_yaml(first), "again.yaml"));
  CHECK(to_json(again) == to_json(first));
  return again;
}

std::vector<double> shares(const RunPlan& plan) {
  std::vector<double> list;
  for (const StagePlan& stage : plan.stages)
    list.push_back(static_cast<double>(stage.steps) / static_cast<double>(plan.total_steps));
  return list;
}

}  // namespace

TEST_CASE("proportional and equal stages come in equal steps of depth") {
  for (const auto& [rule, expected] :
       {std::pair{"prop-1", std::vector{.1, .2, .3, .4}},
        std::pair{"prop-2", std::vector{.033333, .133333, .3, .533333}},
        std::pair{"equal", std::vector{.25, .25, .25, .25}}}) {
    const RunPlan plan = resolved(planned(rule, 4));
    REQUIRE(plan.stages.size() == 4);
    CHECK(plan.total_steps == 5087);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(plan.stages[i].model.layers == 3 * static_cast<std::int64_t>(i + 1));
      CHECK(shares(plan)[i] == Approx(expected[i]).margin(2e-4));
    }
  }
  CHECK(contains(test::refusal(ErrorKind::usage, [] { planned("prop-1", 5); }),
                 "5 stages do not divide the 12 layers"));
}

TEST_CASE("the paper's rules double depth and width where the slope comes to its threshold") {
  RuleOptions options{.rule = "paper-depth"};
  options.law = find_planning_law("kaplan");
  auto s =
      test::two_stages({"model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
                        "batch={sequences: 480}", "stages=[{name: whole, for: 200G tokens}]"});
  const RunPlan depth = resolved(plan_by_rule(s, options));
  CHECK(depth.stages[0].model.layers == 6);
  const auto curve = options.law.curve(options.law.parameters(depth.stages[0].params));
  const double end = curve->loss(static_cast<double>(depth.stages[0].tokens));
  CHECK(curve->log_slope(end) == Approx(scaling::kDepthSlope).epsilon(1e-3));
  options.rule = "paper-width";
  const RunPlan width = resolved(plan_by_rule(s, options));
  CHECK(width.stages[0].model.width == 384);
  CHECK(width.stages[0].model.heads == 6);
}

TEST_CASE("the one jump comes before the decay, and stacking is refused for a small short run") {
  const RunPlan jump = resolved(planned("one-jump"));
  CHECK(jump.stages[0].model.layers == 1);
  CHECK(shares(jump)[0] == Approx(.8).margin(2e-4));
  CHECK(contains(test::refusal(ErrorKind::usage, [] { planned("g-stack"); }),
                 "expected less than half of the run's 2.5G"));
  const RulePlan stacked = planned("g-stack", 0, {"stages.0.for=2000G tokens"});
  const RunPlan plan = resolved(stacked);
  CHECK(plan.stages[0].model.layers == 3);
  CHECK_FALSE(plan.stages[1].growth->exact());
  CHECK(contains(stacked.warnings[0], "fitted on 400M to 7G"));
}

TEST_CASE("a schedule's own stages keep their sizes and get the rule's lengths") {
  const RulePlan rule = plan_by_rule(test::two_stages(), {.rule = "equal"});
  const RunPlan plan = resolved(rule);
  CHECK(plan.stages[0].name == "shallow");
  CHECK(plan.stages[0].steps == 1500);
  CHECK(plan.stages[1].steps == 1500);
  CHECK(contains(to_text(rule), "arXiv 2305.02869"));
  CHECK(to_json(rule)["name"] == "equal");
  const RulePlan other = plan_by_rule(test::two_stages({"stages.shallow.for=9000"}),
                                      {.rule = "one-jump", .mixing_tokens = 1e6});
  CHECK(other.warnings.empty());
}

TEST_CASE("a rule sets the lengths of a looped model's stages, but makes none") {
  const std::vector<std::string> looped = {"model.prelude=2",        "model.core=4",
                                           "model.passes=2",         "model.coda=2",
                                           "model.tied_cores=false", "model.layers=12"};
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { planned("equal", 4, looped); }),
                 "--rule equal: found a model with a looped core (core 4, passes 2), expected one "
                 "without"));
  std::vector<std::string> own = looped;
  own.push_back(
      "stages=[{name: tied, model: {layers: 8, tied_cores: true}, for: 100 steps}, "
      "{name: untied, grow: [{operator: untie}], for: 300 steps}]");
  const RunPlan plan = resolved(planned("equal", 0, own));
  CHECK(plan.stages[0].steps == 200);
  CHECK(plan.stages[1].steps == 200);
}

TEST_CASE("rules that do not exist or do not apply are refused") {
  CHECK(contains(test::refusal(ErrorKind::usage, [] { planned("prop-3"); }), "did you mean"));
  auto from = test::two_stages();
  from.from = "a.h5";
  CHECK_THROWS_AS(plan_by_rule(from, {.rule = "equal"}), Error);
  CHECK(contains(
      test::refusal(ErrorKind::usage, [] { planned("paper-width", 0, {"model.heads=3"}); }),
      "expected even numbers"));
  CHECK(contains(
      test::refusal(ErrorKind::usage, [] { planned("equal", 4, {"stages.0.for=3 steps"}); }),
      "3 steps for 4 stages"));
}
