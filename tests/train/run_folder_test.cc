// The folder of a run: who may use it, and what it goes on from.
#include "train/run_folder.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using namespace stagedtrain::train;
using test::contains;

namespace {

using Mode = RunFolder::Mode;

// A checkpoint at this place of a run.
void save_at(const Path& file, std::int64_t stage, std::int64_t step, bool done) {
  state::TrainingState state = test::tiny_state();
  state.progress.stage_index = stage;
  state.progress.step = step;
  state.progress.stage_done = done;
  state::save(file, state);
}

}  // namespace

TEST_CASE("a plan made anew may change lengths, and nothing else") {
  const test::TinyRun tiny;
  const Path out = tiny / "run";
  { RunFolder(out, tiny.plan(), Mode::fresh); }
  const plan::RunPlan longer = tiny.plan({"stages.small.for=9", "stages.full.for=4"});
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { RunFolder(out, longer, Mode::go_on); }),
                 "--replan"));
  { RunFolder(out, longer, Mode::replan); }
  CHECK(test::read_text(out / "schedule.yaml") == plan::resolved_yaml(longer));
  const plan::RunPlan other = tiny.plan({"stages.small.for=9", "lr.peak=0.02"});
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { RunFolder(out, other, Mode::replan); }),
                 "lr.peak"));
}

TEST_CASE("a folder is made once, taken up again, and refused to another schedule") {
  const test::TinyRun tiny;
  const Path out = tiny / "run";
  { RunFolder(out, tiny.plan(), Mode::fresh); }
  { RunFolder(out, tiny.plan(), Mode::go_on); }
  { RunFolder(out, tiny.plan({"evaluate.every=1", "checkpoint.keep=5"}), Mode::go_on); }
  const std::string other = test::refusal(
      ErrorKind::usage, [&] { RunFolder(out, tiny.plan({"lr.peak=0.02"}), Mode::go_on); });
  CHECK(contains(other, "another schedule"));
  CHECK(contains(other, "lr.peak: 0.02 | 0.01"));
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { RunFolder(out, tiny.plan(), Mode::fresh); }),
                 "holds a run already"));
}

TEST_CASE("a folder in use is refused, and a file is no folder") {
  const test::TinyRun tiny;
  const RunFolder first(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK(contains(
      test::refusal(ErrorKind::locked, [&] { RunFolder(tiny / "run", tiny.plan(), Mode::go_on); }),
      "another run is using this folder"));
  test::refusal(ErrorKind::usage, [&] { RunFolder(tiny / "text.txt", tiny.plan(), Mode::go_on); });
}

TEST_CASE("the furthest checkpoint comes first, and bad ones are named") {
  const test::TinyRun tiny;
  const RunFolder folder(tiny / "run", tiny.plan(), Mode::go_on);
  std::vector<std::string> bad;
  CHECK(folder.candidates(bad).empty());
  save_at(folder.step_file(4), 0, 4, false);
  save_at(folder.step_file(6), 0, 6, false);
  save_at(folder.stage_file("small"), 0, 6, true);
  save_at(folder.step_file(9), 1, 9, false);
  test::write_text(folder.step_file(12), "not a checkpoint");
  const std::vector<Path> expected = {folder.step_file(9), folder.stage_file("small"),
                                      folder.step_file(6), folder.step_file(4)};
  CHECK(folder.candidates(bad) == expected);
  REQUIRE(bad.size() == 1);
  CHECK(contains(bad[0], "step-00000012.h5"));
}

TEST_CASE("only the newest step files are kept") {
  const test::TinyRun tiny;
  const RunFolder folder(tiny / "run", tiny.plan(), Mode::go_on);
  for (std::int64_t step : {2, 4, 10, 100}) test::write_text(folder.step_file(step), "x");
  test::write_text(folder.stage_file("small"), "x");
  folder.prune(2);
  CHECK_FALSE(std::filesystem::exists(folder.step_file(4)));
  CHECK(std::filesystem::exists(folder.step_file(10)));
  CHECK(std::filesystem::exists(folder.step_file(100)));
  CHECK(std::filesystem::exists(folder.stage_file("small")));
}

TEST_CASE("what a crash left half written is cleared away") {
  const test::TinyRun tiny;
  const Path left = tiny / "run/checkpoints/step-00000004.h5.tmp-1-0";
  { RunFolder(tiny / "run", tiny.plan(), Mode::go_on); }
  test::write_text(left, "half");
  const RunFolder again(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK_FALSE(std::filesystem::exists(left));
}
