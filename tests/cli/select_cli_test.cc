// Runs that select their training data, as a user sees them: the plan, several processes, show and
// report.
#include "support/catch.h"
#include "support/ranks.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

const std::vector<std::string> kSelects = {
    "--set", "data.select={share: 0.1, after: 3 steps, every: 4 steps, refresh: 9 steps}"};

}  // namespace

TEST_CASE("processes that select their data together end with the bits of one") {
  const test::RanksRun run;
  REQUIRE(run.train("one", 1, kSelects).exit_code == 0);
  REQUIRE(run.train("two", 2, kSelects).exit_code == 0);
  REQUIRE(run.train("plain", 1).exit_code == 0);
  const auto end = [&](const char* name) { return run.tiny / name / "stages/full.h5"; };
  CHECK(test::first_difference(end("one"), end("two")) == "");
  CHECK(test::first_difference(end("one"), end("plain")) != "");
  CHECK(state::CheckpointReader(end("one")).header().data ==
        state::CheckpointReader(end("two")).header().data);
  const test::CommandResult sharded = [&] {
    std::vector<std::string> more = kSelects;
    more.insert(more.end(), {"--sharding", "optimizer"});
    return run.train("sharded", 2, more);
  }();
  REQUIRE(sharded.exit_code == 0);
  CHECK(test::first_difference(end("one"), end("sharded")) == "");
}

TEST_CASE("plan, show and report say what was selected, and full sharding is refused") {
  const test::RanksRun run;
  test::Command plan = run.command("run", kSelects);
  plan.arguments[1] = "plan";
  std::erase(plan.arguments, "--out");
  std::erase(plan.arguments, run.folder("run"));
  std::erase(plan.arguments, "--lost-after");
  std::erase(plan.arguments, "3");
  const test::CommandResult planned = test::run(plan);
  INFO(planned.err);
  REQUIRE(planned.exit_code == 0);
  CHECK(contains(planned.out, "data selection"));

  REQUIRE(run.train("run", 1, kSelects).exit_code == 0);
  const test::CommandResult shown =
      test::run({.arguments = {test::program(), "show", run.folder("run") + "/stages/full.h5"}});
  CHECK(contains(shown.out, "\nselected data subset "));
  CHECK(contains(shown.out, "drawn at step 16 by gains of step 12"));
  const test::CommandResult reported =
      test::run({.arguments = {test::program(), "report", run.folder("run")}});
  CHECK(contains(reported.out, "Data selection, counted in all costs"));

  std::vector<std::string> more = kSelects;
  more.insert(more.end(), {"--sharding", "full"});
  const test::CommandResult refused = run.train("full", 2, more);
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "--sharding full: found data.select"));
}
