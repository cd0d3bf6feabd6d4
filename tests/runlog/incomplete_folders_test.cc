// Reading run folders of which a log or a checkpoint is missing.
#include <filesystem>

#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::runlog;

namespace {

RunLogs read_folder(const test::TempDir& folder) {
  return read_what_is_there({folder.path().string()});
}

}  // namespace

TEST_CASE("a run whose log is missing is told and left out, the others are read") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  std::filesystem::create_directories(folder / "scratch" / "budget-900");
  test::write_text(folder / "scratch" / "budget-900" / "schedule.yaml", "seed: 1\n");
  const RunLogs logs = read_folder(folder);
  CHECK(logs.runs.size() == 4);
  REQUIRE(logs.problems.size() == 1);
  CHECK(test::contains(logs.problems[0], "budget-900: run.jsonl is missing"));
}

TEST_CASE("where no run can be read, the first reason is the error") {
  const test::TempDir folder;
  test::write_text(folder / "schedule.yaml", "seed: 1\n");
  const std::string message = test::refusal(ErrorKind::input, [&] { read_folder(folder); });
  CHECK(test::contains(message, "run.jsonl is missing from this run folder"));
}

TEST_CASE("checkpoints of stages that the folder or the log lacks are told") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto problems = [&] { return read_folder(folder).problems; };
  CHECK(problems().empty());  // a log that was copied out of its folder
  test::write_text(folder / "staged" / "schedule.yaml", "seed: 1\n");
  std::filesystem::create_directories(folder / "staged" / "stages");
  test::write_text(folder / "staged" / "stages" / "full.h5", "");
  REQUIRE(problems().size() == 1);
  CHECK(test::contains(problems()[0], "stages/shallow.h5 is missing"));
  test::write_run(
      folder / "staged",
      {.role = "staged", .stages = {{"shallow", 2, 2100}, {"full", 6, 900}}, .stop = 1200});
  REQUIRE(problems().size() == 1);
  CHECK(test::contains(problems()[0], "does not say how stage full ended"));
}
