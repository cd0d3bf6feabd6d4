// Other sizes from scratch at the FLOPs of a staged run.
#include "forecast/frontier.h"

#include <array>

#include "forecast/full_plan.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::vector<plan::SizeRuns> sizes(const std::vector<std::string>& edits = {}) {
  return plan::resolve_frontier(plan::resolve(test::two_stages(edits)));
}

}  // namespace

TEST_CASE(
    "by default: the earlier stages' sizes, half and twice the layers, the final model's not") {
  const auto all = sizes();  // 2 -> 6 layers
  std::vector<std::int64_t> layers;
  for (const plan::SizeRuns& size : all) layers.push_back(size.budgets.at(0).final_model.layers);
  CHECK(layers == std::vector<std::int64_t>{2, 3, 12});
  CHECK(all[0].name == "2x128");
}

TEST_CASE("a model with routed layers is compared with sizes that have none") {
  const std::vector<std::string> routed = {
      "model={architecture: llama, layers: 6, width: 64, heads: 2, context: 128, vocab: 256, "
      "routed_every: 2, routed_share: 0.5, routed_gain: 0.05}",
      "stages=[{name: dense, model: {layers: 3, routed_every: 0}, for: 100}, {name: routed, grow: "
      "[{operator: depth, factor: 2}, {operator: route, every: 2, share: 0.5, gain: 0.05}], "
      "for: 100}]"};
  const auto names = [](const std::vector<plan::SizeRuns>& all) {
    std::vector<std::string> found;
    for (const plan::SizeRuns& size : all) {
      CHECK(size.budgets.at(0).final_model.routed_every == 0);
      found.push_back(size.name);
    }
    return found;
  };
  CHECK(names(sizes(routed)) ==
        std::vector<std::string>{"3x64-routed_every0", "6x64-routed_every0"});
  std::vector<std::string> given = routed;
  given.push_back("scratch.frontier.sizes=[{layers: 4, routed_every: 0}]");
  CHECK(names(sizes(given)) == std::vector<std::string>{"4x64-routed_every0"});
}

TEST_CASE("every size is decayed at the same FLOPs, within a step") {
  const plan::RunPlan staged = plan::resolve(test::two_stages());
  for (const plan::SizeRuns& size : sizes()) {
    REQUIRE(size.budgets.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      const plan::RunPlan& one = size.budgets[i];
      CAPTURE(size.name, i);
      CHECK(one.role == plan::Role::scratch);
      CHECK(one.stages.size() == 1);
      CHECK(one.decayed);
      const double asked = staged.flops * std::array{0.7, 1.0, 1.4}[i];
      CHECK(one.flops >= asked * (1 - 1e-9));
      CHECK(one.flops - asked <= one.flops / static_cast<double>(one.total_steps));
      CHECK(one.branch_step.has_value() == (i < 2));  // they share the stable part
    }
  }
}

TEST_CASE("sizes and budgets may be given; a size that is the final model or no model is refused") {
  const auto all =
      sizes({"scratch.frontier={sizes: [{layers: 4, width: 64, heads: 2}], budgets: [500 steps]}"});
  REQUIRE(all.size() == 1);
  CHECK(all[0].name == "4x64");
  CHECK(all[0].budgets.at(0).total_steps == 500);
  const auto says = [&](const std::string& given) {
    return test::refusal(ErrorKind::usage, [&] { sizes({"scratch.frontier.sizes=" + given}); });
  };
  CHECK(contains(says("[{layers: 6}]"), "6x128 is the final model"));
  CHECK(contains(says("[{layers: 2}, {layers: 2}]"), "2x128 is there twice"));
  CHECK(contains(says("[{width: 63}]"), "scratch.frontier.sizes"));
  CHECK(contains(says("[{layer: 2}]"), "layer"));
  CHECK(contains(says("[{context: 64}]"), "found another architecture, context or vocab"));
  CHECK(contains(says("[]"), "scratch.frontier.sizes: found none"));
  const auto with_budgets = [&](const std::string& given) {
    return test::refusal(ErrorKind::usage, [&] { sizes({"scratch.frontier.budgets=" + given}); });
  };
  CHECK(contains(with_budgets("[]"), "scratch.frontier.budgets: found none"));
  CHECK(contains(with_budgets("[0%]"), "scratch.frontier.budgets: found '0%'"));
}

TEST_CASE("plan prices the sizes that a schedule names, and refuses the wrong ones") {
  const auto full = [](const std::string& given) {
    return plan::make_full_plan(
        plan::resolve(test::two_stages({"scratch.frontier.sizes=" + given})),
        plan::find_planning_law("chinchilla"));
  };
  const plan::FullPlan named = full("[{layers: 2}]");
  const Json runs = plan::to_json(named)["frontier"];
  REQUIRE(runs.size() == 3);  // 70%, 100% and 140% of the FLOPs
  CHECK(runs[1]["model"] == "2x128");
  CHECK(runs[1]["flops"].get<double>() == Approx(named.plan.flops).epsilon(0.01));
  CHECK(contains(plan::to_text(named), "other sizes from scratch, for comparison"));
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { full("[{width: 63}]"); }),
                 "scratch.frontier.sizes"));
}

TEST_CASE("sizes that differ in other things than layers and width have names of their own") {
  const auto all = sizes({"scratch.frontier.sizes=[{ffn: 64}, {layers: 2}, {layers: 2, ffn: 64}]"});
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "6x128-ffn64");
  CHECK(all[1].name == "2x128");
  CHECK(all[2].name == "2x128-ffn64");
}
