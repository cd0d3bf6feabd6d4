// Which checkpoints of a run are known to be good, and which go when newer ones are there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "train/checkpoint_saver.h"
#include "train/run_folder.h"

namespace stagedtrain::train {

// A checkpoint holds finite numbers, but whether its state still trains shows only in the next
// step: an update that was far too large gives finite weights and a loss that is not. So a file
// that was saved waits until a step from its state came out well. Until then it is not the last
// good one, and nothing older is removed for it.
class KeptCheckpoints {
 public:
  KeptCheckpoints(const RunFolder& folder, std::int64_t keep) : folder_(folder), keep_(keep) {}
  // The run went on from this file, which was read whole.
  void went_on_from(const Path& file);
  void saved(const SavedCheckpoint& checkpoint);
  // A run that has taken so many steps without diverging: what was saved before is good. Removes
  // step files beyond the newest `keep` that are good.
  void came_to(std::int64_t step);
  // The run diverged: gives the files whose states it diverged from the ending .diverged. Returns
  // their new names.
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
