// Growth paths of the literature as schedules that run.
#include "lengths/presets.h"

#include "lengths/memory_depths.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

RunPlan planned(const std::string& preset, std::int64_t stages, const std::string& rule = "") {
  const schedule::Schedule s = test::two_stages(
      {"model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
       "batch={sequences: 480, micro: 16}", "stages=[{name: whole, for: 2.5G tokens}]"});
  const RunPlan first =
      resolve(plan_by_preset(s, find_preset(preset), {.rule = rule, .stages = stages}).schedule);
  const RunPlan again = resolve(schedule::parse(resolved_yaml(first), "again.yaml"));
  CHECK(to_json(again) == to_json(first));
  return again;
}

// FLOPs of the blocks, as a share of those of the final model in all steps.
double block_cost(const RunPlan& plan) {
  double cost = 0;
  for (const StagePlan& stage : plan.stages)
    cost += static_cast<double>(stage.steps * stage.model.layers);
  return cost / static_cast<double>(plan.total_steps * plan.final_model.layers);
}

}  // namespace

TEST_CASE("MIDAS costs what its closed forms say, for lengths that rise as i and as i squared") {
  for (const double k : {4.0, 6.0}) {
    const auto stages = static_cast<std::int64_t>(k);
    CHECK(block_cost(planned("midas", stages)) == Approx((2 * k + 1) / (3 * k)).margin(2e-4));
    CHECK(block_cost(planned("midas", stages, "prop-2")) ==
          Approx(3 * (k + 1) / (2 * (2 * k + 1))).margin(2e-4));
  }
  // The paper's 1.39 and 1.24 times fewer FLOPs of blocks.
  CHECK(1 / block_cost(planned("midas", 6)) == Approx(1.39).margin(0.01));
  CHECK(1 / block_cost(planned("midas", 6, "prop-2")) == Approx(1.24).margin(0.01));
}

TEST_CASE("each stage of a preset adds one block, by the order that it is named for") {
  for (const auto& [name, order] : {std::pair{"midas", "middle"}, std::pair{"gradual", "last"}}) {
    const RunPlan plan = planned(name, 0);
    REQUIRE(plan.stages.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(plan.stages[i].model.layers == 3 * static_cast<std::int64_t>(i + 1));
      const Tree& growth = plan.schedule.stages[i].grow;
      REQUIRE(growth.items.size() == (i > 0 ? 1 : 0));
      if (i == 0) continue;
      CHECK(growth.items[0].find("order")->text == order);
      CHECK(growth.items[0].find("block")->text == "3");
    }
  }
  const RunPlan equal = planned("gradual", 3);
  CHECK(equal.stages[0].steps == Approx(equal.total_steps / 3.0).margin(1));
}

TEST_CASE("STEP's depths take the least memory, with the paper's bytes and with this program's") {
  const LayerBytes paper{16, 2};
  CHECK(depths_of_least_memory(15, 2, paper) == std::vector<std::int64_t>{8, 15});
  CHECK(most_bytes({8, 15}, paper) == 128);  // 47% below the 240 of all at once
  CHECK(most_bytes({15}, paper) == 240);
  for (const std::int64_t layers : {6, 13, 24})
    for (const LayerBytes bytes : {paper, LayerBytes{16, 13}}) {
      CAPTURE(layers, bytes.frozen);
      const double found = most_bytes(depths_of_least_memory(layers, 3, bytes), bytes);
      for (std::int64_t a = 1; a < layers; ++a)
        for (std::int64_t b = a + 1; b < layers; ++b)
          CHECK(found <= most_bytes({a, b, layers}, bytes));
    }
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { depths_of_least_memory(9, 4, paper); }),
                 "found 4 stages for 9 layers"));
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { depths_of_least_memory(9, 1, paper); }),
                 "found 1 stage for 9 layers"));

  const RunPlan plan = planned("step", 0);
  REQUIRE(plan.stages.size() == 2);
  const LayerBytes bytes = bytes_of_layers(plan.schedule, plan.final_model);
  const double numbers = 12.0 * 768 * 768, vectors = 13 * 768, adapters = 8 * 18 * 768;
  CHECK(bytes.trained == 16 * (numbers + vectors));
  CHECK(bytes.frozen == bytes.trained + 4 * (4 * adapters - numbers));
  CHECK(plan.stages[0].model.layers == depths_of_least_memory(12, 2, bytes)[0]);
  CHECK(plan.stages[1].train_only_new);
  REQUIRE(plan.stages[1].policies.adapters);
  CHECK(plan.stages[1].memory_bytes < planned("gradual", 2).stages[1].memory_bytes);
  const Tree& growth = plan.schedule.stages[1].grow.items[0];
  CHECK(growth.find("order")->text == "upper");
  CHECK(growth.find("new_layers")->text == "mean");
  CHECK(!growth.find("block"));
}

TEST_CASE("unknown presets and stages that do not divide the layers are refused") {
  CHECK(contains(test::refusal(ErrorKind::usage, [] { find_preset("midass"); }),
                 "--preset: found 'midass'; did you mean 'midas'?"));
  CHECK(contains(test::refusal(ErrorKind::usage, [] { planned("midas", 5); }),
                 "midas: found 12 layers and 5 stages"));
}

TEST_CASE("a preset makes stages of plain stacks only") {
  const schedule::Schedule s = test::two_stages(
      {"model={architecture: gpt2, layers: 12, width: 128, heads: 4, context: 128, "
       "vocab: 256, core: 4, prelude: 8, passes: 2}",
       "stages=[{name: whole, for: 300 steps}]"});
  for (const Preset& preset : presets())
    CHECK(contains(test::refusal(ErrorKind::usage, [&] { plan_by_preset(s, preset, {}); }),
                   fmt::format("--preset {}: found a model with a looped core", preset.name)));
}
