// Found 2026-11-28 (issue 14, C): a schedule could not begin with a grown checkpoint, as `grow` was
// refused in the first stage even where `from` named what is to be grown.
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

// The schedule of a tiny run in which the first stage is `stage`, the only one.
std::string schedule_of(const test::TinyRun& tiny, const std::string& from, const std::string& stage) {
  std::string text = tiny.yaml();
  const std::size_t begin = text.find("stages:"), end = text.find("scratch:");
  return (from.empty() ? "" : "from: \"" + from + "\"\n") + text.substr(0, begin) +
         "stages:\n  - " + stage + "\n" + text.substr(end);
}

constexpr const char* kGrown = "{name: full, grow: [{operator: depth, layers: 2}], for: 6}";

}  // namespace

TEST_CASE("plan and train begin with a grown checkpoint") {
  const test::TinyRun tiny;
  const std::string small = (tiny / "small.h5").string(), file = (tiny / "grown.yaml").string(),
                    out = (tiny / "run").string();
  state::save(small, state::fresh(tiny.plan().stages[0].model, 1));
  test::write_text(file, schedule_of(tiny, small, kGrown));

  const auto plan = test::stagedtrain({"plan", file, "--details"});
  INFO(plan.err);
  CHECK(plan.exit_code == 0);
  CHECK(contains(plan.out, "starts from " + small));
  CHECK(contains(plan.out, "grown by {operator: depth, layers: 2}"));

  const auto train = test::stagedtrain({"train", file, "--out", out});
  INFO(train.err);
  CHECK(train.exit_code == 0);
  const state::CheckpointReader end(tiny / "run/stages/full.h5");
  CHECK(end.header().model.layers == 2);
  CHECK(end.header().progress.step == 6);
  REQUIRE(end.header().lineage.size() == 2);
  CHECK(end.header().lineage[0].operators == "weights alone");
  CHECK(contains(end.header().lineage[1].operators, "operator: depth"));

  // The same command again finds the run complete, and the command grow takes the stage too.
  CHECK(test::stagedtrain({"train", file, "--out", out}).exit_code == 0);
  const auto grow = test::stagedtrain(
      {"grow", small, (tiny / "large.h5").string(), "--schedule", file, "--stage", "full"});
  INFO(grow.err);
  CHECK(grow.exit_code == 0);
}

TEST_CASE("a first stage that grows needs a checkpoint, and has its model from there") {
  const test::TinyRun tiny;
  const std::string small = (tiny / "small.h5").string(), file = (tiny / "grown.yaml").string();
  state::save(small, state::fresh(tiny.plan().stages[0].model, 1));
  const auto refused = [&](const std::string& from, const std::string& stage) {
    test::write_text(file, schedule_of(tiny, from, stage));
    const auto plan = test::stagedtrain({"plan", file, "--details"});
    CHECK(plan.exit_code == 2);
    return plan.err;
  };
  CHECK(contains(refused("", kGrown), "give from: FILE (the checkpoint that grows)"));
  CHECK(contains(refused(small,
                         "{name: full, model: {layers: 1}, grow: [{operator: depth, layers: "
                         "2}], for: 6}"),
                 "a grown stage's model follows from grow"));
  CHECK(contains(refused(small, "{name: full, grow: [{operator: depth, layers: 3}], for: 6}"),
                 "stages do not end at the final model"));
}
