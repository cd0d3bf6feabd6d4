// When a saved checkpoint counts as good, and what goes then.
#include "runfolder/kept_checkpoints.h"

#include <limits>

#include "support/catch.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using namespace stagedtrain::train;

namespace {

struct Kept {
  test::TinyRun tiny;
  RunFolder folder{tiny / "run", tiny.plan(), RunFolder::Mode::go_on};
  KeptCheckpoints kept;
  explicit Kept(std::int64_t best = 0, double every = 0)
      : kept(folder, {.last = 1, .best = best, .every = {every, DurationUnit::steps}}) {}
  // Saves the state after a step, evaluates it, and takes a step from it.
  void save_and_go_on(std::int64_t step, double loss, const std::string& stage = "full") {
    save(step);
    kept.measured(stage, step, loss);
    kept.came_to(step + 1);
  }
  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> found;
    for (std::int64_t step = 0; step < 20; ++step)
      if (there(step)) found.push_back(step);
    return found;
  }
  void save(std::int64_t step) {
    test::write_text(folder.step_file(step), "x");
    SavedCheckpoint saved;
    saved.file = folder.step_file(step);
    saved.progress.step = step;
    kept.saved(saved);
  }
  bool there(std::int64_t step) const { return std::filesystem::exists(folder.step_file(step)); }
};

}  // namespace

TEST_CASE("a checkpoint is the last good one only after a step that came out well") {
  Kept run;
  CHECK(run.kept.last_good().empty());
  run.save(4);
  run.kept.came_to(4);
  CHECK(run.kept.last_good().empty());
  run.kept.came_to(5);
  CHECK(run.kept.last_good() == run.folder.step_file(4));
  run.save(8);
  CHECK(run.kept.last_good() == run.folder.step_file(4));
  CHECK(run.there(4));  // not removed for one that may be bad
  run.kept.came_to(9);
  CHECK_FALSE(run.there(4));
  CHECK(run.there(8));
}

TEST_CASE("a checkpoint from whose state the run diverged is set aside, the one before stays") {
  Kept run;
  run.save(4);
  run.kept.came_to(5);
  run.save(8);
  const auto aside = run.kept.set_aside_diverged();
  REQUIRE(aside.size() == 1);
  CHECK(aside[0].filename() == "step-00000008.h5.diverged");
  CHECK(run.kept.last_good() == run.folder.step_file(4));
  CHECK(run.there(4));
  CHECK_FALSE(run.there(8));
}

using Steps = std::vector<std::int64_t>;

TEST_CASE("checkpoints at multiples of keep.every stay for good") {
  Kept run(0, 4);
  for (std::int64_t step = 1; step <= 10; ++step) run.save_and_go_on(step, 1);
  CHECK(run.steps() == Steps{4, 8, 10});
}

TEST_CASE("the checkpoints with the lowest validation losses stay") {
  Kept run(2);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  run.save_and_go_on(1, 5);
  run.save_and_go_on(2, 3);
  run.save_and_go_on(3, 4);
  CHECK(run.steps() == Steps{2, 3});
  run.save_and_go_on(4, unknown);
  CHECK(run.steps() == Steps{2, 3, 4});
  run.save_and_go_on(5, 3);
  run.save_and_go_on(6, 3);
  CHECK(run.steps() == Steps{2, 5, 6});  // of equal losses the earlier ones
  run.save_and_go_on(7, 2);
  CHECK(run.steps() == Steps{2, 7});
}

TEST_CASE("a checkpoint that still waits for a step takes nobody's place among the best") {
  Kept run(1);
  run.save_and_go_on(1, 3);
  run.save_and_go_on(2, 4);
  run.save(3);
  run.save(4);
  run.kept.measured("full", 4, 1);
  run.kept.came_to(4);  // step 3 is good; 4 has the lowest loss but may be bad
  CHECK(run.steps() == Steps{1, 3, 4});
  run.kept.came_to(5);
  CHECK(run.steps() == Steps{4});
}

TEST_CASE("the best checkpoints are those of the stage that is being trained") {
  Kept run(1);
  run.save_and_go_on(1, 1, "small");
  run.save_and_go_on(2, 2, "small");
  CHECK(run.steps() == Steps{1, 2});
  run.save_and_go_on(3, 7, "full");
  run.save_and_go_on(4, 8, "full");
  CHECK(run.steps() == Steps{3, 4});
}

TEST_CASE("files that are no checkpoints of the run are left alone by every rule") {
  Kept run(1, 4);
  const Path folder = run.folder.path() / "checkpoints";
  for (const char* name : {"step-1.h5", "mine.h5", "step-00000002.h5.diverged"})
    test::write_text(folder / name, "x");
  for (std::int64_t step = 1; step <= 10; ++step) run.save_and_go_on(step, 1);
  for (const char* name : {"step-1.h5", "mine.h5", "step-00000002.h5.diverged"})
    CHECK(std::filesystem::exists(folder / name));
}
