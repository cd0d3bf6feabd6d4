// Laws from files of own fits, as plans use them.
#include "fit/planning_law.h"

#include <cmath>

#include "forecast/forecast_warnings.h"
#include "optimize/optimize.h"
#include "plan/decay.h"
#include "scaling/annealing.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

// The curve of a model of so many parameters after 4,000 steps of 2,048 tokens.
FittedCurve curve_of(const std::string& name, double parameters, double floor) {
  FittedCurve curve;
  curve.name = name;
  curve.model_parameters = parameters;
  curve.tokens_per_step = 2048;
  curve.law = curve.low = curve.high = {floor, 20, 0.5, 50};
  for (double shift : {-0.01, 0.0, 0.01}) {
    curve.samples.push_back(curve.law);
    curve.samples.back().E += shift;
  }
  curve.last_step = curve.last_x = 4000;
  return curve;
}

// Curves of both sizes of test::two_stages.
FittedLaws two_curves() {
  const RunPlan plan = resolve(test::two_stages());
  FittedLaws laws;
  for (std::size_t i = 0; i < 2; ++i)
    laws.curves.push_back(curve_of(plan.stages[i].name,
                                   static_cast<double>(plan.stages[i].params.total),
                                   1.3 - 0.1 * static_cast<double>(i)));
  return laws;
}

}  // namespace

TEST_CASE("forecasts of own curves are of validation losses") {
  FittedLaws laws = two_curves();
  const PlanningLaw training = planning_law(laws, "own.json");
  laws.curves[0].validation_gap = 0.04;
  const test::TempDir dir;
  write_law_file(laws, dir / "laws.json", false);
  const PlanningLaw judged = find_planning_law((dir / "laws.json").string());
  const double parameters = laws.curves[0].model_parameters;
  CHECK(judged.curve(parameters)->loss(1e6) ==
        Approx(training.curve(parameters)->loss(1e6) + 0.04));
}

TEST_CASE("own curves plan the sizes that they are of") {
  OptimizeOptions options;
  options.law = planning_law(two_curves(), "own.json");
  CHECK(options.law.samples.size() == 3);
  const Optimum optimum = optimize(test::two_stages(), options);
  REQUIRE(optimum.stages.size() == 2);
  CHECK(optimum.stages[0].size.model.layers == 2);
  CHECK(optimum.planned.flops > 0);
  CHECK_FALSE(optimum.endless);
  const LossRange end = optimum.full.outlook.forecasts[0].stages[1].end;
  REQUIRE(end.range);
  CHECK((*end.range)[0] < end.loss);
  CHECK(contains(to_text(optimum), "80% of last"));
  CHECK(contains(to_text(optimum), "before the decay"));
}

TEST_CASE("a decay that own runs showed is taken off the end, for other sizes and lengths too") {
  FittedLaws laws = two_curves();
  laws.curves[0].annealing = 0.06;
  const PlanningLaw law = planning_law(laws, "own.json");
  const RunPlan plan = resolve(test::two_stages());
  const FullPlan without = make_full_plan(plan, planning_law(two_curves(), "own.json"));
  const FullPlan with = make_full_plan(plan, law);
  const LossRange before = without.outlook.forecasts[0].stages[1].end,
                  after = with.outlook.forecasts[0].stages[1].end;
  // 600 steps straight down.
  std::vector<double> rates = {1};
  double lost = 0;
  for (int i = 0; i < 600; ++i) {
    rates.push_back(learning_rate(plan, plan.stages[1], 2400 + i, 1000, 3000) / 3e-3);
    lost += 1 - rates.back();
  }
  const double size = plan.stages[1].params.total / static_cast<double>(plan.stages[0].params.total);
  const double gain = 0.06 * std::pow(1.15, std::log(size) / std::log(4.0)) *
                      scaling::annealing_areas(rates).back();
  // The falling rate teaches less besides.
  const auto curve = law.curve(static_cast<double>(plan.stages[1].params.total));
  const double tokens = without.outlook.forecasts[0].scratch_tokens -
                        static_cast<double>(plan.warmup_steps) / 2 * 2048;  // a warm-up counts half
  const double not_taught = curve->loss(tokens - lost * 2048) - curve->loss(tokens);
  CHECK(not_taught > 0);
  CHECK(before.loss - after.loss == Approx(gain - not_taught).epsilon(1e-6));
  // The error of the gain is independent of the fit's, so squares add.
  for (const std::size_t side : {0, 1})
    CHECK(std::fabs((*after.range)[side] - after.loss) ==
          Approx(std::hypot((*before.range)[side] - before.loss, 0.2 * gain)));
  CHECK(with.outlook.forecasts[0].savings.flops ==
        Approx(without.outlook.forecasts[0].savings.flops));
  CHECK_FALSE(contains(to_text(with), "before the decay"));
  CHECK(contains(to_text(without), "before the decay"));
  SECTION("and it comes back from a file") {
    const FittedLaws again = laws_from_json(to_json(laws), "laws.json");
    CHECK(*again.curves[0].annealing == 0.06);
    CHECK_FALSE(again.curves[1].annealing);
  }
}

TEST_CASE("a curve of the final model and of every stage is needed") {
  FittedLaws laws = two_curves();
  laws.curves.pop_back();
  const PlanningLaw law = planning_law(laws, "own.json");
  OptimizeOptions options;
  options.law = law;
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { optimize(test::two_stages(), options); }),
                 "own.json has no curve of the final model 6x128"));
  const RunPlan plan = resolve(test::two_stages());
  CHECK(contains(forecast(plan, run_cost(plan), law, {}).nothing, "own.json has no curve of full"));
  laws.curves[0].model_parameters = NAN;
  CHECK(contains(test::refusal(ErrorKind::input, [&] { planning_law(laws, "own.json"); }),
                 "for none of its 1 curves are parameters and tokens per step known"));
}

TEST_CASE("of two curves of one size that of fresh weights is taken, then the longer one") {
  FittedLaws laws = two_curves();
  FittedCurve grown = laws.curves[1];
  grown.begin = 2100;
  grown.last_x = 9000;
  grown.law.E = 0.5;
  laws.curves.push_back(grown);
  const double size = grown.model_parameters;
  CHECK(planning_law(laws, "own").curve(size)->floor() == Approx(1.2));
  laws.curves.erase(laws.curves.begin() + 1);
  const PlanningLaw law = planning_law(laws, "own");
  CHECK(law.curve(size)->floor() == Approx(0.5));
  CHECK(law.curve(size)->loss(2048) == Approx(0.5 + 20));  // no head start
  CHECK(contains(law.notes[0], "the curve of a grown stage"));
  CHECK(law.known_tokens(size) == 9000 * 2048.0);
}

TEST_CASE("a law file is a law of that name, and what it was fitted to bounds it") {
  const test::TempDir folder;
  FittedLaws laws;
  laws.chinchilla.emplace();
  FittedChinchilla& fitted = *laws.chinchilla;
  fitted.name = "ends.csv";
  fitted.law = fitted.low = fitted.high = {1.8, 480, 2085, 0.35, 0.37};
  fitted.samples = {fitted.law};
  fitted.points = 40;
  fitted.largest_parameters = 1e7;
  fitted.most_tokens = 1e8;
  const std::string path = (folder / "laws.json").string();
  write_law_file(laws, path, false);
  const PlanningLaw law = find_planning_law(path);
  CHECK(law.name == path);
  CHECK(contains(law.source, "fitted to 40 finished runs of ends.csv"));
  CHECK(law.curve(1e9)->floor() == Approx(1.8 + 480 * std::pow(1e9, -0.35)));
  const auto lines = law_warnings(law, "whole", {.total = 124000000, .non_embedding = 1}, 2.5e9);
  REQUIRE(lines.size() == 2);
  CHECK(contains(lines[0], "124M parameters"));
  CHECK(contains(lines[1], "25 times the data of the fit"));
  test::write_text(folder / "bad.json", "{\"format\": \"stagedtrain laws\", \"version\": 3}");
  CHECK(contains(
      test::refusal(ErrorKind::input, [&] { find_planning_law((folder / "bad.json").string()); }),
      "'curves' is missing"));
  CHECK_THROWS_AS(find_planning_law((folder / "none.json").string()), Error);
}
