// Tests of lengths/choose.h: lengths and slopes that a schedule leaves to the planner.
#include "lengths/choose.h"

#include <cmath>

#include "fit/planning_law.h"
#include "lengths/resolve_files.h"
#include "scaling/pair.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using plan::choose;
using test::contains;

namespace {

// GPT-2 of 12 layers, grown out of 6.
const std::string kGpt2 = R"(data: {train: t.bin, validation: v.bin}
model: {layers: 12, width: 768, heads: 12, context: 1024, vocab: 50304}
batch: {sequences: 480}
lr: {decay: 20%}
stages:
  - {name: half, model: {layers: 6}, for: auto}
  - {name: full, grow: [{operator: depth, layers: 12}], for: auto}
)";

schedule::Schedule gpt2(const std::vector<std::string>& edits = {}) {
  return schedule::parse(kGpt2, "gpt2.yaml", edits);
}
plan::Choice chosen(const std::vector<std::string>& edits = {},
                    const plan::GrowthOutcomes& outcomes = {}) {
  return choose(gpt2(edits), {}, {}, outcomes);
}
double steps(const plan::Choice& choice, std::size_t i) {
  return choice.schedule.stages[i].length.amount;
}
// Size i of a plan under a law. `cost` is what a token costs; 0: its FLOPs.
scaling::Size size_of(const plan::PlanningLaw& law, const plan::RunPlan& run, std::size_t i,
                      double cost = 0) {
  const plan::StagePlan& stage = run.stages[i];
  return {stage.name, cost > 0 ? cost : arch::flops_per_token(stage.model),
          law.curve(law.parameters(stage.params))};
}
std::string refused(const std::vector<std::string>& edits) {
  return test::refusal(ErrorKind::usage, [&] { chosen(edits); });
}

}  // namespace

TEST_CASE("auto lengths under loss-state end where both sizes pay the same") {
  const plan::Choice choice = chosen({"plan.scratch=2.5G tokens"});
  const plan::PlanningLaw law = plan::find_planning_law("chinchilla");
  const plan::RunPlan run = plan::resolve(choice.schedule);
  const auto size = [&](std::size_t i) { return size_of(law, run, i); };
  const scaling::GrowthPoint growth =
      scaling::best_growth(size(0), size(1), size(1).curve->loss(0.8 * 2.5e9));
  const double step = 480 * 1024;
  CHECK(std::fabs(steps(choice, 0) - growth.small_tokens / step) <= 0.5);
  CHECK(std::fabs(steps(choice, 1) - (2.5e9 - growth.resume_tokens) / step) <= 2);
  REQUIRE(choice.messages.size() == 3);
  CHECK(contains(choice.messages[0], "pay the same for the next bit of loss"));
  CHECK(contains(choice.messages[2], "floor (loss-state)"));
  CHECK(contains(choice.messages[2], "2.5G tokens from scratch"));
}

TEST_CASE("a length that is given is kept, and the rest follows it") {
  const plan::Choice choice = chosen({"plan.scratch=2.5G tokens", "stages.half.for=1000"});
  CHECK(steps(choice, 0) == 1000);
  const plan::PlanningLaw law = plan::find_planning_law("chinchilla");
  const plan::RunPlan run = plan::resolve(choice.schedule);
  const double step = 480 * 1024;
  const double loss = size_of(law, run, 0).curve->loss(1000 * step);
  const double left = 2.5e9 - size_of(law, run, 1).curve->tokens(loss);
  CHECK(std::fabs(steps(choice, 1) - left / step) <= 1);
}

TEST_CASE("20 tokens for each parameter is the run from scratch that nobody named") {
  const plan::Choice unnamed = chosen();
  const std::int64_t parameters = plan::resolve(unnamed.schedule).stages[1].params.total;
  const plan::Choice named = chosen({fmt::format("plan.scratch={} tokens", 20 * parameters)});
  for (const std::size_t i : {0, 1}) CHECK(steps(unnamed, i) == steps(named, i));
  const plan::Choice more = chosen({fmt::format("plan.scratch={} tokens", 21 * parameters)});
  CHECK(steps(more, 1) > steps(unnamed, 1));
}

TEST_CASE("under mixing and with a rho the growth waits for the decay") {
  const std::vector<std::string> scratch = {"plan.scratch=5000", "plan.mixing=200",
                                            "lr.decay=1000"};
  auto edits = scratch;
  edits.push_back("plan.transfer=mixing");
  const plan::Choice mixing = chosen(edits);
  CHECK(steps(mixing, 0) == 5000 - 1000 - 200);
  CHECK(steps(mixing, 1) == 1200);
  CHECK(contains(mixing.messages[2], "ceiling (mixing)"));
  edits.back() = "plan.transfer=rho=1.25";
  CHECK(steps(chosen(edits), 0) == 4750);
  CHECK(contains(chosen(edits).messages[2], "measured: rho 1.25"));
}

TEST_CASE("a decay in percent is of the run that comes out, and the growth comes before it") {
  const plan::Choice choice =
      chosen({"plan.scratch=5000", "plan.mixing=200", "plan.transfer=rho=1.25", "lr.decay=20%"});
  const plan::RunPlan run = plan::resolve(choice.schedule);
  CHECK(std::fabs(static_cast<double>(run.stages[1].steps - run.decay_steps) - 200) <= 2);
}

TEST_CASE("what earlier runs measured is used, and named") {
  const grow::GrowthRecipe recipe = *plan::resolve(chosen().schedule).stages[1].growth;
  plan::GrowthOutcomes outcomes;
  outcomes.put({"runs/before", "full", "", recipe.operators(), recipe.from, recipe.to, 1.25, 1.2,
                1.3, 1e9, 200 * 480 * 1024, 0.05});
  const plan::Choice choice = chosen({"plan.scratch=5000", "lr.decay=1000"}, outcomes);
  CHECK(steps(choice, 0) == 4750);
  CHECK(contains(choice.messages[2], "runs/before"));
  const plan::Choice floor =
      chosen({"plan.scratch=5000", "lr.decay=1000", "plan.transfer=loss-state"}, outcomes);
  CHECK(steps(floor, 0) < 4750);
}

TEST_CASE("a law of a constant rate has the decay of an earlier run taken off its last loss") {
  const plan::RunPlan run = plan::resolve(gpt2({"stages.half.for=9", "stages.full.for=9"}));
  plan::GrowthOutcomes outcomes;
  plan::GrowthOutcome earlier;
  earlier.run = "earlier";
  earlier.to = run.final_model;
  earlier.decay_drop = 0.07;
  outcomes.put(earlier);
  const std::string kaplan = "plan.law=kaplan";
  const plan::Choice plain = chosen({kaplan}), knows = chosen({kaplan}, outcomes);
  CHECK(knows.end_losses.front() == plain.end_losses.front());
  CHECK(knows.end_losses.back() == Approx(plain.end_losses.back() - 0.07));
  CHECK(contains(knows.predicted_by, "less 0.0700 nats, the gain of the decay of earlier"));
  CHECK(chosen({}, outcomes).end_losses == chosen().end_losses);
}

TEST_CASE("a slope of auto becomes that of the best growth") {
  const plan::Choice choice =
      chosen({"stages.half.until={slope: auto}", "plan.law=kaplan", "plan.scratch=1G tokens"});
  const auto slope = parse_number(choice.schedule.stages[0].until->slope);
  REQUIRE(slope);
  const plan::RunPlan run = plan::resolve(choice.schedule);
  const plan::PlanningLaw law = plan::find_planning_law("kaplan");
  const scaling::Size small = size_of(law, run, 0), large = size_of(law, run, 1);
  const double loss = scaling::best_growth(small, large, large.curve->floor()).loss;
  const double tokens = small.curve->tokens(loss), more = 1.001 * tokens;
  const double difference =
      std::log(small.curve->loss(more) / small.curve->loss(tokens)) / std::log(more / tokens);
  CHECK(*slope == Approx(difference).epsilon(1e-3));
  CHECK(run.stages[0].until_slope == slope);
  CHECK(contains(refused({"stages.full.until={slope: auto}"}), "the last stage does not grow"));
}

TEST_CASE("costs in seconds need measurements and use them") {
  CHECK(contains(refused({"plan.cost=seconds"}), "plan --measure"));
  const plan::RunPlan run = plan::resolve(chosen().schedule);
  plan::Measurements known;
  for (std::size_t i : {0, 1})
    known.put({plan::measurement_key(run, run.stages[i]), "", i == 0 ? 2e-6 : 1e-5, 0, 20, "", ""});
  const plan::Choice choice = choose(gpt2({"plan.cost=seconds"}), {}, known, {});
  const plan::RunPlan planned = plan::resolve(choice.schedule);
  const plan::PlanningLaw law = plan::find_planning_law("chinchilla");
  const scaling::Size large = size_of(law, planned, 1, 1e-5);
  const double end = 20 * static_cast<double>(planned.stages[1].params.total) * 0.8;
  const scaling::GrowthPoint growth =
      scaling::best_growth(size_of(law, planned, 0, 2e-6), large, large.curve->loss(end));
  // The best growth lies inside the decay, so it comes just before that.
  const auto last = static_cast<double>(planned.total_steps - planned.decay_steps);
  CHECK(growth.small_tokens / (480 * 1024) > last);
  CHECK(std::fabs(steps(choice, 0) - last) <= 1);
  CHECK(contains(choice.messages.back(), "seconds"));
}

TEST_CASE("what cannot be chosen is refused with the reason") {
  CHECK(contains(refused({"plan.law=kaplam"}), "did you mean 'kaplan'"));
  CHECK(contains(refused({"plan.transfer=rho=x"}), "rho=1.4"));
  CHECK(contains(refused({"plan.transfer=sometimes"}), "loss-state"));
  CHECK(contains(refused({"model.vocab=2", "plan.scratch=10"}), "guessing among"));
  CHECK(contains(refused({"from=some.h5"}), "expected fresh weights"));
  CHECK(contains(refused({"plan.transfer=mixing", "plan.scratch=100", "plan.mixing=90"}),
                 "the run is too short to grow"));
}

TEST_CASE("a run that goes on keeps what was chosen for it") {
  const schedule::Schedule asked =
      gpt2({"stages.half.until={slope: auto}", "plan.scratch=2.5G tokens"});
  const plan::RunPlan first = plan::resolve(choose(asked, {}, {}, {}).schedule);
  const std::string record = plan::resolved_yaml(first);
  const schedule::Schedule again = plan::as_recorded(asked, record);
  CHECK_FALSE(plan::asks_planner(again));
  CHECK(plan::resolved_yaml(plan::resolve(again)) == record);
}

TEST_CASE("auto is understood where a length of a stage stands, and nowhere else") {
  CHECK(plan::asks_planner(gpt2()));
  CHECK_FALSE(plan::asks_planner(test::two_stages()));
  const auto bad = [](const std::string& edit) {
    return test::refusal(ErrorKind::usage, [&] { gpt2({edit}); });
  };
  CHECK(contains(bad("lr.warmup=auto"), "expected steps, tokens or %"));
  CHECK(contains(bad("stages.half.until={slope: 3}"), "expected auto or a number below 0"));
  CHECK(contains(bad("stages.half.until={}"), "expected loss or slope"));
}

TEST_CASE("the messages say what decided when a stage grows") {
  const auto word = [](const std::vector<std::string>& edits) { return chosen(edits).messages[0]; };
  CHECK(contains(word({"plan.scratch=5000"}), "pay the same for the next bit of loss"));
  // A decay that begins before both would pay the same.
  const std::string clamped = word({"plan.scratch=5000", "lr.decay=70%"});
  INFO(clamped);
  CHECK(contains(clamped, "the latest time before the decay"));
  CHECK_FALSE(contains(clamped, "pay the same"));
  const std::string unknown = word({"plan.scratch=5000", "plan.transfer=mixing"});
  INFO(unknown);
  CHECK(contains(unknown, "the mixing time of the growth is not known"));
  CHECK_FALSE(contains(unknown, "leaves"));
  CHECK(contains(word({"plan.scratch=5000", "plan.transfer=mixing", "plan.mixing=200"}),
                 "leaves 98.3M tokens to mix before the decay"));
}

TEST_CASE("lengths are steps of the stage's own context") {
  const plan::Choice choice =
      chosen({"plan.scratch=2.5G tokens", "stages.half.model={layers: 6, context: 512}",
              "stages.full.grow=[{operator: context, length: 1024}, {operator: depth, layers: 12}]"});
  const plan::PlanningLaw law = plan::find_planning_law("chinchilla");
  const plan::RunPlan run = plan::resolve(choice.schedule);
  const auto size = [&](std::size_t i) { return size_of(law, run, i); };
  // The decay is a part of the steps, all of which the final model would make.
  const double before_decay = 2.5e9 - static_cast<double>(run.decay_steps) * 480 * 1024;
  const scaling::GrowthPoint growth =
      scaling::best_growth(size(0), size(1), size(1).curve->loss(before_decay));
  CHECK(steps(choice, 0) == Approx(growth.small_tokens / (480 * 512)).epsilon(0.01));
}
