// Optimised plans: what they save, that they resolve, and what they say of themselves.
#include "optimize/optimize.h"

#include <algorithm>

#include "grow/operator.h"
#include "lengths/resolve_files.h"
#include "plan/decay.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

Optimum planned(std::int64_t stages, const std::string& law = "chinchilla") {
  OptimizeOptions options;
  options.law = find_planning_law(law);
  options.most_stages = stages;
  return optimize(test::gpt2_124m(), options);
}

bool warns(const Optimum& optimum, const std::string& words) {
  return std::any_of(optimum.warnings.begin(), optimum.warnings.end(),
                     [&](const std::string& line) { return contains(line, words); });
}

double curve_loss(const Optimum& optimum, const OptimizedStage& stage, double tokens) {
  return optimum.law.curve(stage.size.parameters)->loss(tokens);
}

}  // namespace

TEST_CASE("candidates are what the operators can grow, cheapest first and the final model last") {
  const RunPlan plan = resolve(test::gpt2_124m());
  const std::vector<Candidate> found = candidates(plan.final_model, find_planning_law("kaplan"));
  CHECK(found.size() == 30);
  CHECK(found.back().model == plan.final_model);
  CHECK(found.back().parameters == static_cast<double>(found.back().params.non_embedding));
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    CHECK(found[i].flops_per_token <= found[i + 1].flops_per_token);
    CHECK_FALSE(connected(plan.final_model, found[i].model));
    const double factor = static_cast<double>(found.back().params.non_embedding) /
                          static_cast<double>(found[i].params.non_embedding);
    REQUIRE(connected(found[i].model, plan.final_model));
    CHECK(may_grow(found[i], found.back()) == (factor <= kMostGrowthFactor));
    const Tree grow = growth_between(found[i].model, plan.final_model);
    CHECK(grow::make_recipe(grow, found[i].model, "grow").to == plan.final_model);
  }
}

TEST_CASE("a plan comes to the loss of the run from scratch and costs what it says") {
  for (const char* law : {"besiroglu", "hoffmann", "kaplan"}) {
    for (std::int64_t stages : {2, 3, 4}) {
      INFO(law << ", " << stages << " stages");
      const Optimum optimum = planned(stages, law);
      REQUIRE(optimum.stages.size() > 1);
      CHECK(optimum.stages.size() <= static_cast<std::size_t>(stages));
      CHECK(optimum.stages.back().end_loss == Approx(optimum.end_loss).epsilon(1e-5));
      CHECK(optimum.planned.flops == Approx(1 - optimum.flops / optimum.scratch_flops));
      CHECK(optimum.planned.flops == Approx(optimum.floor).margin(2e-3));  // whole steps
      CHECK(optimum.floor <= optimum.all_sizes);
      CHECK(optimum.floor < optimum.ceiling);
      for (std::size_t i = 1; i < optimum.stages.size(); ++i) {
        const OptimizedStage &before = optimum.stages[i - 1], &stage = optimum.stages[i];
        CHECK(*stage.begin_loss == Approx(before.end_loss).epsilon(2e-3));
        CHECK(stage.first_step == before.first_step + before.steps);
        CHECK((*before.plateau)[0] < stage.first_step);
        CHECK((*before.plateau)[1] >= stage.first_step);
        const RunPlan& plan = optimum.full.plan;
        CHECK((*before.plateau)[1] <= plan.total_steps - tail_steps(plan));
      }
    }
  }
}

TEST_CASE("more stages save no less") {
  double before = 0;
  for (std::int64_t stages : {1, 2, 3, 5}) {
    const Optimum optimum = planned(stages);
    CHECK(optimum.floor >= before);
    before = optimum.floor;
  }
  CHECK(planned(1).stages.size() == 1);
  CHECK(planned(1).planned.flops == Approx(0).margin(1e-3));
}

TEST_CASE("an optimised schedule resolves to its own steps and costs, and survives its YAML") {
  for (std::int64_t stages : {1, 2, 4}) {
    const Optimum optimum = planned(stages);
    const RunPlan plan = resolve(optimum.schedule);
    const RunPlan again = resolve(schedule::parse(resolved_yaml(plan), "planned.yaml"));
    REQUIRE(again.stages.size() == optimum.stages.size());
    for (std::size_t i = 0; i < again.stages.size(); ++i) {
      CHECK(again.stages[i].model == optimum.stages[i].size.model);
      CHECK(again.stages[i].steps == optimum.stages[i].steps);
      CHECK(again.stages[i].first_step == optimum.stages[i].first_step);
      CHECK(again.stages[i].flops == Approx(optimum.stages[i].flops).epsilon(1e-12));
    }
  }
}

TEST_CASE("under mixing one jump comes as late as the decay allows") {
  OptimizeOptions options;
  options.transfer.assumption = scaling::Assumption::mixing;
  options.transfer.mixing_tokens = 1e8;
  const Optimum optimum = optimize(test::gpt2_124m(), options);
  REQUIRE(optimum.stages.size() == 2);
  const RunPlan plan = resolve(test::gpt2_124m());
  const double decay = 0.2 * static_cast<double>(plan.tokens);
  const double step = 480 * 1024.0;
  CHECK(optimum.stages[0].tokens ==
        Approx(static_cast<double>(plan.tokens) - decay - 1e8).margin(2 * step));
  CHECK(optimum.planned.flops == Approx(optimum.ceiling).margin(1e-3));
  CHECK(optimum.stages[1].end_loss == Approx(optimum.end_loss).epsilon(1e-5));
  CHECK(warns(optimum, "times the parameters"));
  CHECK_FALSE(warns(optimum, "the mixing time is not known"));
  options.transfer.mixing_tokens = 0;
  CHECK(warns(optimize(test::gpt2_124m(), options), "the mixing time is not known"));
  CHECK(warns(optimize(test::gpt2_124m({"lr.curve=cosine"}), options),
              "(cosine) falls from the start"));
}

TEST_CASE("a measured rho saves between floor and ceiling, and nothing beyond the cost ratio") {
  OptimizeOptions options;
  options.transfer.assumption = scaling::Assumption::measured;
  options.transfer.rho = 1.2;
  const Optimum optimum = optimize(test::gpt2_124m(), options);
  REQUIRE(optimum.stages.size() == 2);
  CHECK(optimum.planned.flops > 0);
  CHECK(optimum.planned.flops < optimum.ceiling);
  CHECK(optimum.stages[0].tokens / optimum.stages[1].resume_tokens == Approx(1.2).epsilon(1e-3));
  CHECK(curve_loss(optimum, optimum.stages[1], optimum.stages[1].resume_tokens) ==
        Approx(*optimum.stages[1].begin_loss));
  options.transfer.rho = 50;
  const Optimum dear = optimize(test::gpt2_124m(), options);
  CHECK(dear.stages.size() == 1);
  CHECK(warns(dear, "no growth pays"));
}

TEST_CASE("a plan names its assumption and its end, and warns of what they do not cover") {
  const Optimum optimum = planned(2);
  const std::string text = to_text(optimum);
  CHECK(contains(text, "assumption  floor (loss-state)"));
  CHECK(contains(text, "which 2.5G tokens from scratch reach"));
  CHECK(contains(text, "ceiling (mixing)"));
  CHECK(contains(text, "keep 95% of what it saves"));
  OptimizeOptions options;
  options.goal.amount = 1e11;
  const Optimum longer = optimize(test::gpt2_124m(), options);
  CHECK(longer.floor < optimum.floor / 10);
  CHECK(warns(longer, "the percentage falls"));
  const Json json = to_json(optimum);
  CHECK(json["assumption"] == "floor (loss-state)");
  CHECK(json["stages"].size() == 2);
  CHECK(json["floor_loss_state"] == optimum.floor);
}

TEST_CASE("every growth comes before the decay, even where the law would wait longer") {
  OptimizeOptions options;
  options.goal.amount = 4e8;
  const Optimum optimum = optimize(test::gpt2_124m({"lr.decay=60%"}), options);
  CHECK(optimum.stages.back().tokens >= 0.6 * 4e8 - 480 * 1024);
}

TEST_CASE("a law far from what it was fitted to is refused where it is nonsense") {
  const std::string said =
      test::refusal(ErrorKind::usage, [] { optimize(test::two_stages(), {}); });
  INFO(said);
  CHECK(
      contains(said,
               "the published law chinchilla does not cover this model (it predicts 12.34 nats for "
               "6 x 128; guessing among 256 ids is 5.55)"));
  OptimizeOptions kaplan;
  kaplan.law = find_planning_law("kaplan");
  CHECK_THROWS_AS(optimize(test::two_stages(), kaplan), Error);
}

TEST_CASE("a schedule that starts from a checkpoint and an unknown law are refused") {
  auto from = test::gpt2_124m();
  from.from = "a.h5";
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { optimize(from, {}); }),
                 "starts from a.h5, expected fresh weights | remove the key from"));
  CHECK(contains(test::refusal(ErrorKind::usage, [] { find_planning_law("kaplen"); }),
                 "did you mean 'kaplan'?"));
}

TEST_CASE("law, assumption and forecast go with the schedule that is printed") {
  OptimizeOptions options;
  options.law = find_planning_law("hoffmann");
  options.transfer = {scaling::Assumption::measured, 1.2, 0};
  const Optimum optimum = optimize(test::gpt2_124m(), options);
  const schedule::Schedule again = schedule::parse(resolved_yaml(optimum.full.plan), "again.yaml");
  CHECK(again.plan.law == "hoffmann");
  CHECK(again.plan.transfer == "rho=1.2");
  REQUIRE(again.plan.scratch);
  CHECK(again.plan.scratch->amount == Approx(optimum.scratch_tokens).epsilon(1e-9));
  const RunPlan run = resolve_files(again);
  REQUIRE(run.stages.back().predicted_loss);
  CHECK(*run.stages.back().predicted_loss == Approx(optimum.end_loss).margin(2e-3));
  CHECK(contains(run.predicted_by, "the law hoffmann; measured; it saves "));
  OptimizeOptions mixing;
  mixing.transfer = {scaling::Assumption::mixing, 1, 1e8};
  const schedule::PlanSpec plan = optimize(test::gpt2_124m(), mixing).schedule.plan;
  CHECK(plan.transfer == "mixing");
  CHECK(plan.mixing->amount == 1e8);
}

TEST_CASE("shallow models, large growths and laws that disagree are seen") {
  const Optimum optimum = optimize(test::gpt2_124m(), {});
  REQUIRE(optimum.stages.size() == 2);
  CHECK(contains(
      join(optimum.not_considered, "\n"),
      "22 smaller models, because more than two thirds of their parameters are embeddings"));
  REQUIRE(optimum.full.others.size() == 2);
  CHECK(optimum.full.others[0].law == "hoffmann");
  CHECK(optimum.full.others[1].law == "kaplan");
  CHECK(optimum.full.others[0].floor != Approx(optimum.planned.flops).margin(1e-3));
}

// 1 x 64 saved 77% once, and 1 x 768 7%: 98 and 85% of them are embeddings.
TEST_CASE("no stage has a shape that no law knows, whatever is asked for") {
  const arch::ModelConfig whole = resolve(test::gpt2_124m()).final_model;
  for (const char* law : {"chinchilla", "hoffmann", "kaplan"})
    for (const Transfer& transfer : {Transfer{}, Transfer{scaling::Assumption::mixing, 1, 1e8},
                                     Transfer{scaling::Assumption::measured, 1.43, 0}})
      for (const std::int64_t stages : {2, 3, 6}) {
        INFO(law << ", " << word_of(transfer) << ", " << stages << " stages");
        OptimizeOptions options;
        options.law = find_planning_law(law);
        options.transfer = transfer;
        options.most_stages = stages;
        const Optimum optimum = optimize(test::gpt2_124m(), options);
        for (std::size_t i = 0; i + 1 < optimum.stages.size(); ++i) {
          const Candidate &size = optimum.stages[i].size, &next = optimum.stages[i + 1].size;
          const double aspect = static_cast<double>(size.model.width * whole.layers) /
                                static_cast<double>(size.model.layers * whole.width);
          CHECK(std::max(aspect, 1 / aspect) <= 4 * (1 + 1e-9));
          CHECK(next.params.non_embedding <= 8.01 * static_cast<double>(size.params.non_embedding));
          if (options.law.name != "kaplan")
            CHECK(3 * size.params.non_embedding >= size.params.total);
        }
      }
}

TEST_CASE("Muon's own FLOPs count, and what stages leave out is said not to") {
  const auto with = [](const std::vector<std::string>& edits) {
    return optimize(test::gpt2_124m(edits), {});
  };
  const Optimum adamw = with({}), muon = with({"optimizer={name: muon}", "batch={sequences: 8}"});
  for (const Optimum* optimum : {&adamw, &muon}) {
    double planned = 0;
    for (const StagePlan& stage : optimum->full.plan.stages) planned += stage.flops;
    CHECK(optimum->flops == Approx(planned).epsilon(1e-9));
  }
  const Candidate& last = muon.stages.back().size;
  CHECK(last.flops_per_token > 1.05 * arch::flops_per_token(last.model));
  CHECK(adamw.stages.back().size.flops_per_token == arch::flops_per_token(last.model));
  CHECK(!contains(join(adamw.not_considered, "\n"), "leaves out or does not train"));
  const Optimum dropped =
      with({"stages=[{name: whole, for: 2.5G tokens, layer_dropout: {max: 0.5}}]"});
  CHECK(contains(join(dropped.not_considered, "\n"),
                 "what stage 'whole' leaves out or does not train"));
  CHECK(dropped.flops == Approx(adamw.flops));
}

TEST_CASE("a final model without layers is planned alone") {
  const Optimum optimum = optimize(
      test::gpt2_124m({"model={layers: 0, width: 768, heads: 12, context: 1024, vocab: 50257}"}),
      {});
  CHECK(optimum.stages.size() == 1);
}
