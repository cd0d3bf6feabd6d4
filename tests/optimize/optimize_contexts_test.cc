// Laws of several contexts: the planner trains on short sequences first, and switches where the
// curves say (Navigating Scaling Laws, arXiv 2311.03233).
#include <cmath>

#include "fit/law_of_contexts.h"
#include "optimize/optimize.h"
#include "scaling/pair.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

constexpr double kScale = 300, kExponent = .5;  // E + 300 tokens^-.5

schedule::Schedule one_stage() {
  return test::two_stages({"stages=[{name: whole, for: 20M tokens}]", "lr.warmup=0 steps",
                           "lr.decay=10%", "model.context=128"});
}

arch::ModelConfig model_of(std::int64_t context) {
  arch::ModelConfig model = resolve(one_stage()).final_model;
  model.context = context;
  return model;
}

// Curves of the final model in one context, with this floor; samples of longer contexts differ
// more.
FittedLaws laws_of(std::int64_t context, double floor) {
  FittedCurve curve;
  curve.name = "context-" + std::to_string(context);
  curve.model_parameters = static_cast<double>(arch::count_params(model_of(context)).total);
  curve.tokens_per_step = static_cast<double>(16 * context);
  curve.law = curve.low =
      curve.high = {floor, kScale * std::pow(curve.tokens_per_step, -kExponent), kExponent, 0};
  for (const double shift : {-.01, .0, .01}) {
    curve.samples.push_back(curve.law);
    curve.samples.back().E += shift * static_cast<double>(context) / 128;
  }
  curve.last_step = curve.last_x = 20000;
  FittedLaws laws;
  laws.curves.push_back(curve);
  laws.recipe = FittedRecipe{.data = "d",
                             .tokens_per_step = curve.tokens_per_step,
                             .peak_rate = 3e-3,
                             .context = static_cast<double>(context)};
  return laws;
}

// laws_of() with a curve of a model of a third of the layers too.
FittedLaws more_sizes(std::int64_t context, double floor) {
  FittedLaws laws = laws_of(context, floor);
  arch::ModelConfig model = model_of(context);
  model.layers /= 3;
  FittedCurve small = laws.curves[0];
  small.name += "-small";
  small.model_parameters = static_cast<double>(arch::count_params(model).total);
  small.law.E += .05;
  small.low = small.high = small.law;
  small.samples.assign(small.samples.size(), small.law);
  laws.curves.push_back(small);
  return laws;
}

PlanningLaw both() {
  return law_of_contexts({planning_law(laws_of(128, 1.2), "long.json"),
                          planning_law(laws_of(32, 1.25), "short.json")});
}

}  // namespace

TEST_CASE(
    "the context of the first stage and the time of the switch are those of the closed form") {
  OptimizeOptions options;
  options.law = both();
  const Optimum optimum = optimize(one_stage(), options);
  REQUIRE(optimum.stages.size() == 2);
  CHECK(optimum.stages[0].name == "6x128-context32");
  CHECK(optimum.stages[0].size.model.context == 32);
  CHECK(optimum.stages[1].size.model.context == 128);
  const double ratio = arch::flops_per_token(model_of(32)) / arch::flops_per_token(model_of(128));
  const scaling::GrowthPoint best =
      scaling::best_growth(scaling::SharedExponent{1.25, 1.2, kScale, kExponent, ratio});
  CHECK(best.pays());
  const double step = 16 * 32;
  CHECK(std::fabs(optimum.stages[0].tokens - best.small_tokens) <= step);
  CHECK(optimum.planned.flops ==
        Approx(best.tokens_saved / optimum.scratch_tokens).margin(16 * 128 / 20e6));
  // The complete plan agrees, steps of fewer tokens included, and has intervals from both laws.
  const Forecast& forecast = optimum.full.outlook.forecasts.at(0);
  CHECK(forecast.savings.flops == Approx(optimum.planned.flops).margin(1e-3));
  CHECK(forecast.flops_range);
  CHECK(optimum.full.plan.stages[0].model.context == 32);
  CHECK(optimum.full.plan.stages[0].tokens == static_cast<std::int64_t>(optimum.stages[0].tokens));
}

TEST_CASE("no growth comes after the decay begins, though a short context has more steps") {
  schedule::Schedule s = one_stage();
  s.lr.decay.amount = 20;  // percent
  OptimizeOptions options;
  options.law = law_of_contexts({planning_law(laws_of(128, 1.2), "long.json"),
                                 planning_law(laws_of(32, 1.201), "short.json")});
  const Optimum optimum = optimize(s, options);
  REQUIRE(optimum.stages.size() == 2);
  CHECK(optimum.stages[0].size.model.context == 32);
  const RunPlan& plan = optimum.full.plan;
  CHECK(plan.stages[1].first_step <= plan.total_steps - plan.decay_steps);
}

TEST_CASE("a law of a shorter context never makes a plan worse") {
  schedule::Schedule s = one_stage();
  for (const double decay : {20., 35., 50., 65.}) {
    CAPTURE(decay);
    s.lr.decay.amount = decay;
    for (const double floor : {1.201, 1.21, 1.25}) {
      OptimizeOptions alone, more;
      alone.law = planning_law(more_sizes(128, 1.2), "long.json");
      more.law = law_of_contexts({alone.law, planning_law(more_sizes(32, floor), "short.json")});
      CHECK(optimize(s, more).planned.flops >= optimize(s, alone).planned.flops - 1e-3);
    }
  }
}

TEST_CASE("a file whose name has a comma is one law") {
  const test::TempDir dir;
  write_law_file(laws_of(128, 1.2), dir / "short,long.json", false);
  CHECK(find_planning_law((dir / "short,long.json").string()).by_context.empty());
}

TEST_CASE("the source of such a law names all its files, and warnings of each are kept") {
  PlanningLaw brief = planning_law(laws_of(32, 1.25), "short.json");
  brief.notes.push_back("a warning");
  const PlanningLaw law = law_of_contexts({planning_law(laws_of(128, 1.2), "long.json"), brief});
  CHECK(contains(law.source, "; the curves of context 32 are those of short.json: fitted curves"));
  CHECK(contains(law.notes.back(), "short.json: a warning"));
}

TEST_CASE("with the law of one context all stages have the final model's") {
  OptimizeOptions options;
  options.law = planning_law(laws_of(128, 1.2), "long.json");
  CHECK(optimize(one_stage(), options).stages.size() == 1);
}

TEST_CASE("a stage of a context without a curve has no forecast") {
  const RunPlan plan = resolve(test::two_stages(
      {"model.context=128",
       "stages=[{name: short, model: {context: 64}, for: 100 steps}, {name: long, grow: "
       "[{operator: context, length: 128}], for: 100 steps}]"}));
  const PlanningLaw law = both();
  CHECK(contains(forecast(plan, run_cost(plan), law, {}).nothing, "has no curve of short"));
}

TEST_CASE("laws in a list differ in context alone") {
  const PlanningLaw first = planning_law(laws_of(128, 1.2), "long.json");
  const auto refused = [&](auto change) {
    FittedLaws laws = laws_of(32, 1.25);
    change(*laws.recipe);
    return test::refusal(ErrorKind::usage, [&] {
      law_of_contexts({first, planning_law(laws, "short.json")});
    });
  };
  CHECK(contains(refused([](FittedRecipe& r) { r.context = 128; }), "have the same context, 128"));
  CHECK(contains(refused([](FittedRecipe& r) { r.context.reset(); }),
                 "short.json: the context of its runs is not known"));
  CHECK(contains(refused([](FittedRecipe& r) { r.data = "e"; }), "differ in data"));
  CHECK(contains(refused([](FittedRecipe& r) { r.vocab = 5; }), "differ in vocab"));
  CHECK(contains(refused([](FittedRecipe& r) { r.optimizer = "muon"; }), "differ in optimizer"));
  CHECK(contains(refused([](FittedRecipe& r) { r.peak_rate = 1e-3; }), "differ in peak"));
  CHECK(contains(refused([](FittedRecipe& r) { r.peak_rate = 3.04e-3; }), "differ in peak"));
  PlanningLaw other_end = planning_law(laws_of(32, 1.25), "short.json");
  other_end.end = first.end == kDecayedEnds ? kConstantRate : kDecayedEnds;
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    law_of_contexts({first, other_end});
  });
  CHECK(contains(said, "expected laws of one kind"));
  CHECK(contains(said, "short.json predicts losses"));
  FittedLaws nearly = laws_of(32, 1.25);
  nearly.recipe->peak_rate = 3.02e-3;  // the same to 1%, as where a plan differs from a law
  CHECK_NOTHROW(law_of_contexts({first, planning_law(nearly, "short.json")}));
}

TEST_CASE("an empty name of a law is refused, alone and in a list") {
  const auto says = [](const char* name) {
    return test::refusal(ErrorKind::usage, [&] { find_planning_law(name); });
  };
  CHECK(contains(says(""), "law: found an empty name, expected a law such as chinchilla"));
  CHECK(contains(says(" "), "law: found an empty name"));
  for (const char* list : {",", ",b.json", " , b.json"})
    CHECK(contains(says(list), fmt::format("law '{}': found an empty name in a list", list)));
  const test::TempDir dir;
  write_law_file(laws_of(128, 1.2), dir / "a.json", false);
  CHECK(contains(says(((dir / "a.json").string() + ",,b.json").c_str()),
                 ",,b.json': found an empty name in a list, expected one comma between files"));
}

TEST_CASE("a list of law files is read by its names") {
  const test::TempDir dir;
  write_law_file(laws_of(128, 1.2), dir / "long.json", false);
  write_law_file(laws_of(32, 1.25), dir / "short.json", false);
  const std::string names = (dir / "short.json").string() + ", " + (dir / "long.json").string();
  const PlanningLaw law = find_planning_law(names);
  CHECK(law.name == names);
  CHECK(law.by_context.size() == 2);
  CHECK(law.samples.at(0).by_context.size() == 2);
  const double size = static_cast<double>(arch::count_params(model_of(32)).total);
  CHECK(curve_at(law, size, 32)->loss(1e4) == Approx(1.25 + 3));
  CHECK_FALSE(curve_at(law, size, 64));
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { find_planning_law(names + ",kaplan"); }),
                 "expected law files in a list"));
}
