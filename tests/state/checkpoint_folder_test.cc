// A folder given for a checkpoint: the file that was meant is named.
#include "state/checkpoint_folder.h"

#include <chrono>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::string said_of(const Path& folder) {
  return test::refusal(ErrorKind::input, [&] { state::CheckpointReader reader(folder); });
}

// The later of two calls makes the newer file.
void write_file(const Path& path) {
  static auto time = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::create_directories(path.parent_path());
  test::write_text(path, "x");
  std::filesystem::last_write_time(path, time += std::chrono::seconds(1));
}

}  // namespace

TEST_CASE("of a run's folder the end of the newest stage is named, before its checkpoints") {
  const test::TempDir folder;
  const Path run = folder / "run";
  write_file(run / "run.jsonl");
  CHECK(contains(said_of(run), "has not saved a checkpoint yet"));
  write_file(run / "checkpoints/step-00000100.h5");
  write_file(run / "checkpoints/step-00000200.h5");
  CHECK(contains(said_of(run), "run: is a folder, not a regular file; expected a checkpoint"));
  CHECK(contains(said_of(run), "give the newest checkpoint in it: " +
                                   (run / "checkpoints/step-00000200.h5").string()));
  write_file(run / "stages/small.h5");
  write_file(run / "stages/full.h5");
  write_file(run / "checkpoints/step-00000300.h5");
  CHECK(contains(said_of(run), (run / "stages/full.h5").string()));
  CHECK(contains(said_of(run / "checkpoints"), (run / "checkpoints/step-00000300.h5").string()));
}

TEST_CASE("of a folder of scratch runs, of token files and of nothing, something useful is said") {
  const test::TempDir folder;
  write_file(folder / "scratch/budget-900/run.jsonl");
  write_file(folder / "scratch/budget-900/stages/scratch.h5");
  CHECK(contains(said_of(folder / "scratch"),
                 (folder / "scratch/budget-900/stages/scratch.h5").string()));
  write_file(folder / "data/train.bin");
  CHECK(contains(said_of(folder / "data"), "holds token files"));
  std::filesystem::create_directories(folder / "empty");
  CHECK(contains(said_of(folder / "empty"), "RUN/stages/NAME.h5"));
}
