// A run that merged another one's state goes on from its own checkpoints, whatever the other cost.
#include "train/faulty_run.h"

using namespace stagedtrain;

TEST_CASE("the costs that a merged state brought do not make a checkpoint another run's") {
  const test::TinyRun tiny;
  const std::string small = "{name: small, model: {width: 16, heads: 1, ffn: 64}, for: ";
  const auto plan_of = [&](const std::string& stages) {
    return tiny.plan({"model.layers=1", "model.width=32", "lr={peak: 0.01, warmup: 1}",
                      "scratch={}", "stages=[" + small + stages + "]"});
  };
  train::run(plan_of("300}, {name: large, grow: [{operator: width}], for: 2}"),
             {.out = tiny / "other", .stage = "small"});
  const Path large = tiny / "run/stages/large.h5";
  const plan::RunPlan plan =
      plan_of("2}, {name: large, grow: [{operator: merge, with: [" +
              (tiny / "other/stages/small.h5").string() +
              "]}], for: 2}, {name: more, grow: [{operator: depth, factor: 1}], for: 2}");
  train::run(plan, {.out = tiny / "run", .stage = "small"});
  const train::RunResult merged = train::run(plan, {.out = tiny / "run", .stage = "large"});
  CHECK(merged.stages.at(1).progress.flops > 10 * plan.flops);
  const auto written = std::filesystem::last_write_time(large);
  const train::RunResult result = train::run(plan, {.out = tiny / "run"});
  CHECK(result.done);
  CHECK(std::filesystem::last_write_time(large) == written);
  test::flip_a_byte(tiny / "other/stages/small.h5");  // refused at the start, not at the growth
  test::refusal(ErrorKind::input, [&] { train::run(plan, {.out = tiny / "new"}); });
  CHECK_FALSE(std::filesystem::exists(tiny / "new/stages/small.h5"));
}
