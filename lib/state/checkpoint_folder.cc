// Finds the checkpoint that the user probably meant when a folder is given instead.
#include "state/checkpoint_folder.h"

#include <utility>
#include <vector>

#include "base/error.h"

namespace stagedtrain::state {
namespace {

namespace fs = std::filesystem;

// Returns the most recently written .h5 file in these folders, or an empty path.
Path newest_in(const std::vector<Path>& folders) {
  std::error_code none;
  std::pair<fs::file_time_type, Path> newest;  // of two with one time, the last by name counts
  for (const Path& folder : folders)
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
      if (entry.path().extension() != ".h5" || !entry.is_regular_file(none)) continue;
      const std::pair found{entry.last_write_time(none), entry.path()};
      if (newest.second.empty() || found > newest) newest = found;
    }
  return newest.second;
}

// Returns the folders that hold the ends of a scratch run's budgets: RUN/budget-STEPS/stages.
std::vector<Path> stages_of_runs_in(const Path& folder) {
  std::error_code none;
  std::vector<Path> places;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, none))
    if (fs::exists(entry.path() / "run.jsonl", none)) places.push_back(entry.path() / "stages");
  return places;
}

std::string advice(const Path& folder) {
  std::error_code none;
  using Places = std::vector<Path>;
  for (const Places& places : {Places{folder / "stages"}, Places{folder / "checkpoints"},
                               Places{folder}, stages_of_runs_in(folder)})
    if (const Path file = newest_in(places); !file.empty())
      return fmt::format("give the newest checkpoint in it: {}", file.string());
  if (fs::exists(folder / "run.jsonl", none)) return "this run has not saved a checkpoint yet";
  if (fs::exists(folder / "train.bin", none))
    return fmt::format("it holds token files: {} is one", (folder / "train.bin").string());
  return "a run keeps its checkpoints as RUN/stages/NAME.h5 and RUN/checkpoints/step-N.h5";
}

}  // namespace

void refuse_folder_of_checkpoints(const Path& path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) return;
  throw input_error("{}: is a folder, not a regular file; expected a checkpoint (.h5)",
                    path.string())
      .with_hint(advice(path));
}

}  // namespace stagedtrain::state
