// Whether a law's runs were trained as the plan trains.
#include "fit/recipe.h"

#include <cmath>

#include "forecast/predict.h"
#include "optimize/optimize.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

LoggedCurve curve_of(const std::string& data, double tokens_per_step, double rate) {
  LoggedCurve curve;
  curve.data = data;
  curve.tokens_per_step = tokens_per_step;
  curve.steps = {{1, rate / 2, 5}, {2, rate, 4}, {3, rate / 3, 3}};
  return curve;
}

double step_tokens(const RunPlan& plan) {
  return static_cast<double>(plan.stages.back().tokens) /
         static_cast<double>(plan.stages.back().steps);
}

}  // namespace

TEST_CASE("a recipe is what all runs of a fit have in common") {
  const auto same = recipe_of({curve_of("abc", 1024, 3e-3), curve_of("abc", 1024, 3e-3)});
  REQUIRE(same);
  CHECK(same->data == "abc");
  CHECK(same->tokens_per_step == 1024);
  CHECK(same->peak_rate == 3e-3);
  const auto mixed = recipe_of({curve_of("abc", 1024, 3e-3), curve_of("abd", 2048, 2e-3)});
  REQUIRE(mixed);
  CHECK(mixed->data.empty());
  CHECK(std::isnan(mixed->tokens_per_step));
  CHECK(std::isnan(mixed->peak_rate));
  CHECK_FALSE(recipe_of({}));
}

TEST_CASE("a plan with other data, another batch or another peak rate is told so") {
  RunPlan plan = resolve(test::two_stages());
  plan.facts.train_fingerprint = "0000abcd";
  const FittedRecipe own{"0000abcd", step_tokens(plan), plan.schedule.lr.peak};
  CHECK(recipe_warnings(own, plan).empty());
  CHECK(recipe_warnings({"", std::nan(""), std::nan("")}, plan).empty());
  const auto data = recipe_warnings({"0000abce", own.tokens_per_step, own.peak_rate}, plan);
  REQUIRE(data.size() == 1);
  CHECK(contains(data[0], "(fingerprint 0000abcd, not 0000abce)"));
  const auto batch = recipe_warnings({"0000abcd", 2 * own.tokens_per_step, own.peak_rate}, plan);
  REQUIRE(batch.size() == 1);
  CHECK(contains(batch[0], "tokens a step"));
  const auto rate = recipe_warnings({"0000abcd", own.tokens_per_step, 1.1 * own.peak_rate}, plan);
  REQUIRE(rate.size() == 1);
  CHECK(contains(rate[0], "peak learning rate"));
}

TEST_CASE("a plan with another vocabulary, architecture, optimizer or context is told so") {
  LoggedCurve run = curve_of("abc", 1024, 3e-3);
  run.architecture = "gpt2";
  run.optimizer = "adamw";
  run.parameterization = parameterization_text("", "");
  run.vocab = 256;
  run.context = 128;
  const FittedRecipe own = *recipe_of({run, run});
  LoggedCurve other = run;
  other.vocab = 300;
  other.optimizer = "lion";
  const FittedRecipe part = *recipe_of({run, other});  // of what differs, nothing is in common
  CHECK(part.architecture == "gpt2");
  CHECK(part.context == 128);
  CHECK_FALSE(part.vocab);
  CHECK_FALSE(part.optimizer);

  const auto told = [&](const FittedRecipe& recipe, const std::vector<std::string>& edits) {
    FittedRecipe same_steps = recipe;
    same_steps.tokens_per_step = same_steps.peak_rate = std::nan("");
    return join(recipe_warnings(same_steps, resolve(test::two_stages(edits))), "\n");
  };
  CHECK(told(own, {}).empty());
  CHECK(told(own, {"model.vocab=50257"}) ==
        "the law was fitted to models of 256 token ids, this plan has 50,257: a loss per token "
        "depends on what a token is");
  CHECK(
      contains(told(own, {"model.architecture=llama"}), "architecture gpt2, this plan has llama"));
  CHECK(contains(told(own, {"optimizer={name: lion}"}), "optimizer adamw, this plan has lion"));
  CHECK(contains(told(own, {"model.context=64"}), "context of 128 tokens, this plan has 64"));
  CHECK(contains(told(own, {"parameterization={base_width: 64, base_layers: 2}"}),
                 "parameterization none, this plan has base_width 64, base_layers 2"));
  run.parameterization = parameterization_text("64", "0");
  const FittedRecipe scaled = *recipe_of({run});
  CHECK(told(scaled, {"parameterization={base_width: 64}"}).empty());
  CHECK(contains(told(scaled, {}), "parameterization base_width 64, this plan has none"));
  CHECK(told(part, {"model.vocab=50257", "optimizer={name: lion}"}).empty());
}

TEST_CASE("plans that are made, priced and optimized by a law of another recipe all say so") {
  PlanningLaw law = find_planning_law("chinchilla");
  law.recipe = FittedRecipe{"", std::nan(""), std::nan(""), "llama", "lion", 1000, 512};
  OptimizeOptions options;
  options.law = law;
  const Optimum optimum = optimize(test::gpt2_124m(), options);
  const FullPlan priced = make_full_plan(optimum.full.plan, law, {}, {});
  for (const std::vector<std::string>& lines : {optimum.warnings, priced.outlook.warnings}) {
    REQUIRE(lines.size() > 4);
    CHECK(contains(lines[0], "models of 1,000 token ids, this plan has 50,257"));
    CHECK(contains(lines[1], "architecture llama"));
    CHECK(contains(lines[2], "optimizer lion"));
    CHECK(contains(lines[3], "context of 512"));
  }
}

TEST_CASE("a law file of an older version, with three parts of a recipe, is read") {
  FittedLaws laws;
  laws.recipe = FittedRecipe{"0000abcd", 2048, 3e-3, "gpt2", "adamw", 256, 128, "none"};
  Json json = to_json(laws);
  CHECK(laws_from_json(json, "laws.json").recipe->architecture == "gpt2");
  CHECK(laws_from_json(json, "laws.json").recipe->vocab == 256);
  for (const char* key : {"architecture", "optimizer", "vocab", "context", "parameterization"})
    json["recipe"].erase(key);
  const FittedLaws old = laws_from_json(json, "laws.json");
  REQUIRE(old.recipe);
  CHECK(old.recipe->data == "0000abcd");
  CHECK_FALSE(old.recipe->vocab);
  CHECK(recipe_warnings({"", std::nan(""), std::nan("")}, resolve(test::two_stages())).empty());
}

TEST_CASE(
    "a law file keeps the recipe, and a run on other data has no prediction to be scored by") {
  RunPlan plan = resolve(test::two_stages());
  FittedLaws laws;
  for (const StagePlan& stage : plan.stages) {
    FittedCurve curve;
    curve.name = stage.name;
    curve.model_parameters = static_cast<double>(stage.params.total);
    curve.tokens_per_step = step_tokens(plan);
    curve.law = curve.low = curve.high = {1.3, 20, 0.5, 50};
    curve.last_step = curve.last_x = 4000;
    laws.curves.push_back(curve);
  }
  laws.recipe = FittedRecipe{"0000abcd", step_tokens(plan), plan.schedule.lr.peak};
  const test::TempDir dir;
  write_law_file(laws, dir / "laws.json", false);
  const PlanningLaw law = find_planning_law((dir / "laws.json").string());
  REQUIRE(law.recipe);
  CHECK(law.recipe->data == "0000abcd");
  plan.facts.train_fingerprint = "0000abcd";
  CHECK(predict(plan, law, {}, {}).made());
  plan.facts.train_fingerprint = "12345678";
  const runlog::Prediction other = predict(plan, law, {}, {});
  CHECK(contains(other.why_not, "other data"));
  CHECK_FALSE(std::isfinite(other.loss.value));
}
