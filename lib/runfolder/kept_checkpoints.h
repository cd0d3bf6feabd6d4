// Decides which checkpoints of a run are known to be good, and which may be removed.
#pragma once

#include <map>
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
//
// The best checkpoints are those of the current stage with the lowest validation losses. A larger
// model continues from the end of the stage before, which is kept anyway, so checkpoints of earlier
// stages are not among them.
class KeptCheckpoints {
 public:
  KeptCheckpoints(const RunFolder& folder, const schedule::KeepSpec& keep)
      : folder_(folder), keep_(keep) {}
  // Call this when the run continues from this file, which was read as a whole.
  void went_on_from(const Path& file);
  void saved(const SavedCheckpoint& checkpoint);
  // Records the validation loss of the state after `step` steps of the run, in nats per token. A
  // loss that is not finite is ignored. Losses of another stage than the last one are forgotten.
  void measured(const std::string& stage, std::int64_t step, double loss);
  // Call this after `step` steps without divergence: files saved before that step are good. If
  // there are any, removes the step files that no rule of the schedule's checkpoint.keep keeps.
  void came_to(std::int64_t step);
  // Call this when the run diverged. Adds the suffix .diverged to the files that are still
  // waiting, and returns their new names.
  std::vector<Path> set_aside_diverged();
  // Empty if there is none.
  const Path& last_good() const { return last_good_; }

 private:
  std::set<std::int64_t> best() const;
  const RunFolder& folder_;
  schedule::KeepSpec keep_;
  std::vector<SavedCheckpoint> waiting_;
  std::set<Path> good_;
  Path last_good_;
  std::string stage_;                      // the stage of losses_
  std::map<std::int64_t, double> losses_;  // keyed by step
};

}  // namespace stagedtrain::train
