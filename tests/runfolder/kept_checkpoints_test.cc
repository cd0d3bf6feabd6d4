// When a saved checkpoint counts as good, and what goes then.
#include "runfolder/kept_checkpoints.h"

#include "support/catch.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using namespace stagedtrain::train;

namespace {

struct Kept {
  test::TinyRun tiny;
  RunFolder folder{tiny / "run", tiny.plan(), RunFolder::Mode::go_on};
  KeptCheckpoints kept{folder, 1};
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
