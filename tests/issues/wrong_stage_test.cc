// Found 2026-11-25: grow --schedule --stage grew a checkpoint that the stage does not grow out of.
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("grow --stage takes only the model that the stage grows out of") {
  const test::TinyRun tiny;
  test::write_text(tiny / "tiny.yaml", tiny.yaml());
  const auto plan = tiny.plan();
  const std::string small = (tiny / "small.h5").string(), full = (tiny / "full.h5").string();
  state::save(small, state::fresh(plan.stages[0].model, 1));
  state::save(full, state::fresh(plan.stages[1].model, 1));
  const auto grow = [&](const std::string& from) {
    return test::stagedtrain({"grow", from, (tiny / "out.h5").string(), "--schedule",
                              (tiny / "tiny.yaml").string(), "--stage", "full"});
  };
  const auto refused = grow(full);
  INFO(refused.err);
  CHECK(refused.exit_code == 2);
  CHECK(test::contains(refused.err, "stage 'full' grows from gpt2, 1 layer"));
  CHECK_FALSE(std::filesystem::exists(tiny / "out.h5"));
  CHECK(grow(small).exit_code == 0);
}
