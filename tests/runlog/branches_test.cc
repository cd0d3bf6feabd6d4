// A run that shares the stable part of another one is joined to what that one logged.
#include "runlog/branches.h"

#include <cmath>

#include "fit/fit_laws.h"
#include "support/catch.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"
#include "text/text.h"

using namespace stagedtrain;
using runlog::Run;

namespace {

// The log of a longer budget that went on from the branch of `parent`, as train writes it.
void write_branch(const test::TempDir& dir, const std::string& name, const std::string& parent,
                  double steps, double at) {
  const std::string whole = test::made_log({.stages = {{"full", 6, steps}}});
  std::string text;
  for (const std::string& line : split(whole, '\n')) {
    if (line.empty()) continue;
    Json event = parse_json(line, name);
    if (event["event"] != "start" && event["step"].get<double>() <= at) continue;
    if (event["event"] == "step")  // losses that bend towards a floor, as a fit needs
      event["loss"] = 1.5 + 6 * std::pow(event["step"].get<double>() + 20, -0.45);
    text += event.dump() + "\n";
    if (event["event"] == "start" && !parent.empty())
      text += fmt::format(R"({{"event":"resume","stage":"full","step":{},"file":"old/place/{}/branch.h5"}})", at, parent) + "\n";
  }
  std::filesystem::create_directories(dir / name);
  test::write_text(dir / name / "run.jsonl", text);
}

struct Budgets {
  test::TempDir dir;
  Budgets() {
    write_branch(dir, "budget-1000", "", 1000, 0);
    write_branch(dir, "budget-1500", "budget-1000", 1500, 800);
    write_branch(dir, "budget-2500", "budget-1500", 2500, 1200);
  }
};

}  // namespace

TEST_CASE("a branch gets its parent's steps, and a branch of a branch both") {
  const Budgets made;
  const std::vector<Run> runs = runlog::read_runs({made.dir.path().string()});
  REQUIRE(runs.size() == 3);
  CHECK(runs[2].branch_step == 1200);
  CHECK(runs[2].steps.front().at.step == 1210);
  const std::vector<Run> whole = runlog::joined(runs);
  for (const Run& run : whole) {
    CHECK(run.steps.front().at.step == 10);
    CHECK(run.evaluations.front().at.step == 100);
    for (std::size_t i = 1; i < run.steps.size(); ++i)
      CHECK(run.steps[i].at.step == run.steps[i - 1].at.step + 10);
  }
  CHECK(whole[2].steps.back().at.step == 2500);
  SECTION("the parent is found beside the run, though it was not named") {
    const auto alone = runlog::joined(
        runlog::read_runs({(made.dir / "budget-2500").string()}));
    CHECK(alone.at(0).steps.front().at.step == 10);
  }
  SECTION("a run of another seed or data is no parent") {
    std::vector<Run> others = runs;
    std::filesystem::remove_all(made.dir / "budget-1500");
    std::filesystem::remove_all(made.dir / "budget-1000");
    for (std::size_t i : {0, 1}) others[i].seed = 99;
    CHECK(runlog::joined(others)[2].steps.front().at.step == 1210);
  }
}

TEST_CASE("budgets that share a stable part can be fitted, and each finished one gives its end") {
  const Budgets made;
  const plan::LoggedRuns logged = plan::read_curves({made.dir.path().string()});
  REQUIRE(logged.curves.size() == 3);
  REQUIRE(logged.ends.size() == 3);
  CHECK(logged.ends[1].points.at(0).tokens == 1500 * 2048);
  CHECK(logged.ends[1].points.at(0).parameters == logged.curves[1].parameters);
  const plan::FittedLaws laws = plan::fit_laws(logged, {.resamples = 20});
  INFO(join(laws.notes, "\n"));
  REQUIRE(laws.curves.size() == 3);  // a branch alone has no warm-up and was refused
  CHECK(laws.curves[2].warmup_steps == 100);
}
