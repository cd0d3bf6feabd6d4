// Decides which checkpoints of a run are known to be good, and which may be removed.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "runfolder/checkpoint_saver.h"
#include "runfolder/run_folder.h"

namespace stagedtrain::train {

// Every saved number is finite, but only the next step shows whether the state still trains: an
// update that was far too large yields finite weights and an infinite loss. So a new file waits
// until a step from its state has succeeded. Until then it does not count as the last good
// checkpoint, and no older one is removed for it.
class KeptCheckpoints {
 public:
  KeptCheckpoints(const RunFolder& folder, std::int64_t keep) : folder_(folder), keep_(keep) {}
  // To be called when the run continues from this file, which was read as a whole.
  void went_on_from(const Path& file);
  void saved(const SavedCheckpoint& checkpoint);
  // To be called after `step` steps without divergence: files saved before that step are good.
  // Removes step files beyond the newest `keep` good ones.
  void came_to(std::int64_t step);
  // To be called when the run diverged. Adds the suffix .diverged to the files that are still
  // waiting, and returns their new names.
  std::vector<Path> set_aside_diverged();
  // Empty if there is none.
  const Path& last_good() const { return last_good_; }

 private:
  const RunFolder& folder_;
  std::int64_t keep_;
  std::vector<SavedCheckpoint> waiting_;
  std::set<Path> good_;
  Path last_good_;
};

}  // namespace stagedtrain::train
