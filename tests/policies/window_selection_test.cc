// When a run selects its training data, what that costs, and what is refused.
#include "policies/window_selection.h"

#include "plan/processes.h"
#include "plan/run_plan.h"
#include "plan/selection_cost.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

const std::string kModel =
    "model={architecture: gpt2, layers: 8, width: 128, heads: 4, context: 128, vocab: 256}";

plan::RunPlan planned(const std::string& select, const std::string& stages,
                      std::int64_t windows = 1000) {
  plan::DataFacts facts;
  if (windows > 0) facts.train_tokens = (windows + 1) * 128;
  return plan::resolve(test::two_stages({kModel, "data.select=" + select, "stages=" + stages}),
                       facts);
}

const std::string kTwo =
    "[{name: small, model: {layers: 4}, for: 300 steps}, "
    "{name: full, grow: [{operator: depth, layers: 8}], for: 700 steps}]";

}  // namespace

TEST_CASE("a pass over the windows costs a forward pass of its layers, and the cosines") {
  const plan::RunPlan p = planned("{partition: 300}", "[{name: whole, for: 400 steps}]");
  const plan::SelectionCost& cost = p.stages[0].selection;
  CHECK(cost.passes == 1);
  CHECK(cost.windows == 1000);
  // 6 of 8 layers, and partitions of 300, 300, 300 and 100 windows.
  const double token = 6 * (2.0 * 12 * 128 * 128 + 2 * 4 * 64 * 128);
  const double cosines = 2.0 * 128 * (3 * 300 * 300 + 100 * 100);
  CHECK(cost.flops == Approx(1000 * 128 * token + cosines).epsilon(1e-13));
  CHECK(p.flops == p.stages[0].flops + cost.flops);
  CHECK(plan::to_json(p)["stages"][0]["selection_flops"] == cost.flops);
  const std::string text = plan::to_text(p);
  CHECK(contains(text, "data selection"));
  CHECK(contains(text, "a pass of 1,000 windows through 6 of 8 layers"));
}

TEST_CASE("planned passes are those that the steps make") {
  for (const char* select :
       {"{after: 0 steps}", "{after: 250 steps}", "{after: 300 steps, refresh: 100 steps}",
        "{after: 40 steps, every: 7 steps, refresh: 90 steps}", "{after: 1000 steps}",
        "{after: 999 steps}", "{refresh: 1 steps, every: 3 steps}",
        "{after: 10 steps, refresh: 5000 steps}"}) {
    CAPTURE(select);
    const plan::RunPlan p = planned(select, kTwo);
    const schedule::SelectSpec& spec = *plan::selection_of(p.schedule);
    plan::SelectionPlace newest;
    for (const plan::StagePlan& stage : p.stages) {
      std::int64_t passes = 0;
      for (std::int64_t step = stage.first_step; step < stage.first_step + stage.steps; ++step) {
        if (!plan::subset_is_due(spec, newest, step, 128)) continue;
        if (plan::features_are_due(spec, newest, step, 128)) {
          ++passes;
          newest.features_step = step;
        }
        newest.context = 128;
        newest.step = step;
      }
      CHECK(stage.selection.passes == passes);
      CHECK(stage.selection.flops == Approx(static_cast<double>(passes) *
                                            plan::selection_pass(spec, stage.model, 1000).flops));
    }
  }
}

TEST_CASE("subsets are drawn anew every so many steps, by features of the first selection") {
  const plan::RunPlan p = planned("{after: 20 steps, every: 30 steps}", kTwo);
  const schedule::SelectSpec& spec = *plan::selection_of(p.schedule);
  CHECK_FALSE(plan::subset_is_due(spec, {}, 19, 128));
  CHECK(plan::subset_is_due(spec, {}, 20, 128));
  const plan::SelectionPlace made{128, 20, 20};
  CHECK_FALSE(plan::subset_is_due(spec, made, 49, 128));
  CHECK(plan::subset_is_due(spec, made, 50, 128));
  CHECK_FALSE(plan::features_are_due(spec, made, 50, 128));
  CHECK(plan::features_are_due(spec, made, 21, 64));  // windows of another length
}

TEST_CASE("a share of 1 selects nothing and costs nothing") {
  const plan::RunPlan p = planned("{share: 1}", kTwo);
  CHECK(plan::selection_of(p.schedule) == nullptr);
  CHECK(p.flops == p.stages[0].flops + p.stages[1].flops);
}

TEST_CASE("a run from scratch reads all of the data") {
  const plan::RunPlan p = planned("{}", kTwo);
  for (const plan::RunPlan& scratch : plan::resolve_scratch(p)) {
    CHECK(scratch.flops == scratch.stages[0].flops);
    CHECK_FALSE(contains(plan::resolved_yaml(scratch), "select"));
  }
}

TEST_CASE("without the token file the cost of a selection is not known, which the plan says") {
  const plan::RunPlan p = planned("{}", kTwo, 0);
  CHECK(p.stages[0].selection.flops == 0);
  CHECK(contains(plan::to_text(p), "not known, nor counted, without the file data.train"));
  CHECK(contains(plan::to_text(p), "data selection  "));
  CHECK(contains(plan::to_text(p), "  over "));
  CHECK(plan::selection_flops_text(p.stages[0]) == "?");
}

TEST_CASE("what cannot be selected is refused") {
  const auto refused = [](const std::string& select, const std::string& says) {
    const std::string said = test::refusal(ErrorKind::usage, [&] { planned(select, kTwo); });
    INFO(select << ": " << said);
    CHECK(contains(said, says));
  };
  refused("{share: 0}", "share");
  refused("{share: 1.5}", "share");
  refused("{depth: 0}", "depth");
  refused("{partition: 1}", "partition");
  refused("{every: 0 steps}",
          "data.select.every: found '0 steps', expected a whole number of steps from 1 to 1e9");
  refused("{every: 5K tokens}", "data.select.every: found");
  refused("{after: 2.5 steps}", "data.select.after: found");
  refused("{refresh: 10%}", "data.select.refresh: found");
  refused("{layer: 9}", "layer");
  const std::string many = test::refusal(ErrorKind::usage, [&] { planned("{}", kTwo, 4'000'001); });
  CHECK(contains(many, "data.select: found 4,000,001 windows in data.train"));
  const std::string said = test::refusal(
      ErrorKind::usage, [&] { plan::refuse_sharding(planned("{}", kTwo), plan::Sharding::full); });
  CHECK(contains(said, "data.select"));
}
