// Goals, units and limits of optimised plans.
#include <algorithm>
#include <cmath>

#include "optimize/optimize.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

std::string refused(const schedule::Schedule& schedule, const OptimizeOptions& options) {
  return test::refusal(ErrorKind::usage, [&] { optimize(schedule, options); });
}

double step_tokens() { return 480 * 1024.0; }

// Every size measured, on a machine that small models use badly: time is the root of FLOPs.
Measurements badly_used(double seconds_per_token) {
  const RunPlan base = resolve(test::gpt2_124m());
  const double whole = arch::flops_per_token(base.final_model);
  Measurements known;
  for (const Candidate& size : candidates(base.final_model, find_planning_law("chinchilla"))) {
    StagePlan stage;
    stage.model = size.model;
    Measurement one;
    one.key = measurement_key(base, stage);
    one.seconds_per_token = seconds_per_token * std::sqrt(size.flops_per_token / whole);
    known.put(one);
  }
  return known;
}

}  // namespace

TEST_CASE("a loss as the goal needs the tokens that come to it from scratch") {
  const Optimum by_tokens = optimize(test::gpt2_124m(), {});
  OptimizeOptions options;
  options.goal = {Goal::Kind::loss, by_tokens.end_loss};
  const Optimum by_loss = optimize(test::gpt2_124m(), options);
  CHECK(by_loss.scratch_tokens == Approx(by_tokens.scratch_tokens).epsilon(1e-9));
  CHECK(by_loss.flops == Approx(by_tokens.flops).epsilon(1e-6));
  options.goal.amount = 1;
  CHECK(contains(refused(test::gpt2_124m(), options), "its asymptote is"));
}

TEST_CASE("a cost as the goal is spent to the last step, and buys a lower loss than scratch") {
  const double cost = 1e18;
  for (scaling::Assumption assumption :
       {scaling::Assumption::loss_state, scaling::Assumption::mixing}) {
    OptimizeOptions options;
    options.goal = {Goal::Kind::cost, cost};
    options.transfer = {assumption, 1, 1e8};
    const Optimum optimum = optimize(test::gpt2_124m(), options);
    CHECK(optimum.flops == Approx(cost).epsilon(2e-3));  // whole steps
    const Candidate& last = optimum.stages.back().size;
    const double scratch = optimum.law.curve(last.parameters)->loss(cost / last.flops_per_token);
    CHECK(optimum.end_loss < scratch);
  }
}

TEST_CASE("cost in seconds is measured or assumed, never both") {
  OptimizeOptions options;
  options.unit = CostUnit::seconds;
  CHECK(contains(refused(test::gpt2_124m(), options),
                 "the seconds of a token of 12x768 are not known"));
  const Optimum assumed = optimize(test::gpt2_124m({"machine.flops=100T"}), options);
  CHECK(assumed.flops == Approx(optimize(test::gpt2_124m(), {}).flops));
  CHECK(*assumed.planned.seconds == Approx(assumed.planned.flops).epsilon(1e-9));

  const RunPlan base = resolve(test::gpt2_124m());
  Measurement one;
  one.key = measurement_key(base, base.stages[0]);
  one.seconds_per_token = 1e-5;
  options.known.put(one);
  one.key.model.layers = 6;
  one.seconds_per_token = 0.9e-5;  // far above its share of FLOPs
  options.known.put(one);
  const Optimum measured = optimize(test::gpt2_124m({"machine.flops=100T"}), options);
  CHECK(measured.floor < assumed.floor / 3);
  for (const OptimizedStage& stage : measured.stages) CHECK(stage.size.model.layers >= 6);
  const std::size_t all = candidates(base.final_model, options.law).size();
  const std::string said =
      fmt::format("{} smaller models, because the law has no curve for them", all - 2);
  CHECK(std::ranges::any_of(measured.not_considered,
                            [&](const std::string& line) { return contains(line, said); }));

  options.unit = CostUnit::money;
  CHECK(contains(refused(test::gpt2_124m(), options), "machine.price_per_hour is 0"));
  options.goal = {Goal::Kind::cost, 50};
  options.known = {};
  const Optimum bought =
      optimize(test::gpt2_124m({"machine={flops: 100T, price_per_hour: 2}"}), options);
  CHECK(bought.full.cost.total.money == Approx(50).epsilon(0.02));  // with evaluation and saving
}

TEST_CASE("a limit of tokens is kept by growing earlier, and refused where scratch needs more") {
  const Optimum free = optimize(test::gpt2_124m(), {});
  REQUIRE(free.tokens > 2.8e9);
  double before = 1;
  for (double most : {2.9e9, 2.7e9, 2.55e9}) {
    OptimizeOptions options;
    options.most_tokens = most;
    const Optimum optimum = optimize(test::gpt2_124m(), options);
    CHECK(optimum.tokens <= most + 2 * step_tokens());
    CHECK(optimum.tokens > 0.95 * most);
    CHECK(optimum.planned.flops < std::min(before, free.planned.flops));
    CHECK(optimum.planned.flops > 0);
    CHECK(optimum.stages.back().end_loss == Approx(free.end_loss).epsilon(1e-4));
    before = optimum.planned.flops;
  }
  OptimizeOptions options;
  options.most_tokens = 1e9;
  CHECK(contains(refused(test::gpt2_124m(), options), "keeps the limit of 1G tokens"));
}

TEST_CASE("a limit of time is kept for more FLOPs, down to what the fastest plan takes") {
  OptimizeOptions options;
  options.known = badly_used(1e-5);
  const Optimum free = optimize(test::gpt2_124m(), options);
  OptimizeOptions fast = options;
  fast.unit = CostUnit::seconds;
  const double slow = free.full.cost.total.seconds(),
               fastest = optimize(test::gpt2_124m(), fast).full.cost.total.seconds();
  REQUIRE(fastest < 0.99 * slow);
  double before = free.flops;
  for (double part : {0.5, 0.05}) {
    options.most_seconds = fastest + part * (slow - fastest);
    const Optimum kept = optimize(test::gpt2_124m(), options);
    CHECK(kept.full.cost.total.seconds() <= options.most_seconds);
    CHECK(kept.flops > before);
    CHECK(kept.end_loss == free.end_loss);
    before = kept.flops;
  }
  options.most_seconds = 0.98 * fastest;
  CHECK(contains(refused(test::gpt2_124m(), options), "--unit seconds --cost"));
}

TEST_CASE("a cost and a time are both kept, and the loss is what they come to") {
  OptimizeOptions options;
  options.known = badly_used(1e-5);
  options.goal = {Goal::Kind::cost, 1e18};
  const Optimum free = optimize(test::gpt2_124m(), options);
  for (double part : {0.98, 0.6}) {
    options.most_seconds = part * free.full.cost.total.seconds();
    const Optimum kept = optimize(test::gpt2_124m(), options);
    CHECK(kept.full.cost.total.seconds() <= options.most_seconds * 1.001);
    CHECK(kept.flops <= 1e18 * 1.002);
    CHECK(kept.end_loss > free.end_loss);
  }
  options.most_seconds = 2 * free.full.cost.total.seconds();
  CHECK(optimize(test::gpt2_124m(), options).end_loss == free.end_loss);
}

TEST_CASE("no stage is shorter than the shortest allowed") {
  OptimizeOptions options;
  options.most_stages = 6;
  const Optimum free = optimize(test::gpt2_124m(), options);
  options.shortest_stage = 9e8;
  const Optimum kept = optimize(test::gpt2_124m(), options);
  CHECK(kept.stages.size() < free.stages.size());
  CHECK(kept.planned.flops < free.planned.flops);
  for (const OptimizedStage& stage : kept.stages) CHECK(stage.tokens >= 9e8 - step_tokens());
}

TEST_CASE("limits of time and memory are refused with what would do") {
  OptimizeOptions options;
  options.most_seconds = 3600;
  CHECK(contains(refused(test::gpt2_124m(), options),
                 "the seconds of a token of 12x768 are not known"));
  CHECK(contains(refused(test::gpt2_124m({"machine.flops=100T"}), options),
                 "expected at most 1h00m"));
  CHECK(contains(refused(test::gpt2_124m({"machine.memory=2G"}), {}),
                 "expected at most machine.memory"));
  options.most_seconds = 1e6;
  CHECK(optimize(test::gpt2_124m({"machine.flops=100T"}), options).stages.size() == 2);
}

TEST_CASE("a re-warm-up costs half of its steps and can make a growth not worth it") {
  const Optimum free = optimize(test::gpt2_124m(), {});
  const Optimum warm = optimize(test::gpt2_124m({"lr.rewarm=200 steps"}), {});
  CHECK(warm.planned.flops ==
        Approx(free.planned.flops - 100 * step_tokens() / 2.5e9).margin(1e-3));
  CHECK(warm.stages.back().end_loss == Approx(free.end_loss).epsilon(1e-5));
  CHECK(warm.full.plan.stages.back().rewarm_steps == 200);
  CHECK(warm.full.outlook.forecasts[0].stages.back().end.loss ==
        Approx(warm.stages.back().end_loss).epsilon(1e-3));
  CHECK(optimize(test::gpt2_124m({"lr.rewarm=2000 steps"}), {}).stages.size() == 1);
  CHECK(free.warmup_steps_saved == Approx(50 * (1 - free.stages[0].size.flops_per_token /
                                                        free.stages[1].size.flops_per_token)));
}

TEST_CASE("what the last stage had of its own is kept") {
  const Optimum optimum = optimize(
      test::gpt2_124m(
          {"stages=[{name: half, model: {layers: 6}, for: 1G tokens}, {name: full, grow: "
           "[{operator: depth, layers: 12}], for: 1.5G tokens, lr: {peak: 1e-3, rewarm: 20}}]"}),
      {});
  REQUIRE(optimum.stages.size() == 2);
  CHECK(optimum.full.plan.stages[0].peak_lr == 3e-3);
  CHECK(optimum.full.plan.stages[1].peak_lr == 1e-3);
  CHECK(optimum.full.plan.stages[1].rewarm_steps == 20);
}

TEST_CASE("endless stages save more than any number of them, as the law has it") {
  OptimizeOptions options;
  options.most_stages = 10;
  const Optimum optimum = optimize(test::gpt2_124m(), options);
  REQUIRE(optimum.endless);
  // The limit's costs are in proportion to the parameters; those of the floor include attention.
  CHECK(*optimum.endless > 0.9 * optimum.floor);
  CHECK(*optimum.endless < 1);
  CHECK(contains(to_text(optimum), "endless stages"));
  CHECK(to_json(optimum)["floor_endless"] == *optimum.endless);
  // By Kaplan's law this run ends before endless stages would come to its final size.
  options.law = find_planning_law("kaplan");
  const Optimum early = optimize(test::gpt2_124m(), options);
  CHECK_FALSE(early.endless);
  CHECK_FALSE(contains(to_text(early), "endless"));
}

TEST_CASE("an optimised plan's text fits 100 columns and has its costs") {
  OptimizeOptions options;
  options.most_stages = 4;
  const Optimum optimum =
      optimize(test::gpt2_124m({"machine={flops: 100T, price_per_hour: 2}"}), options);
  const std::string text = to_text(optimum);
  for (const std::string& line : split(text, '\n')) {
    INFO(line);
    CHECK(line.size() <= 100);
  }
  for (const char* part :
       {"costs", "money", "memory", "training time", "not counted: the small model"})
    CHECK(contains(text, part));
  CHECK(to_json(optimum)["plan"]["costs"]["stages"].size() == optimum.stages.size());
}
