// The folder of a run: what is in it, who may use it, and where to go on.
//
//   schedule.yaml            the resolved schedule; a run of another one is refused
//   run.jsonl                the log (docs/run-log.md)
//   checkpoints/step-N.h5    saved on the way, the newest few
//   stages/NAME.h5           the end of each stage, kept
//   branch.h5                of a scratch run: the last state that a longer run shares
//   lock                     held while a run uses the folder
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/folder_lock.h"
#include "plan/run_plan.h"
#include "state/checkpoint.h"

namespace stagedtrain::train {

class RunFolder {
 public:
  // Makes the folder or takes up the run in it, and locks it. Throws Error(locked) if another
  // process has it, Error(usage) if it holds a run of another schedule (saying which keys differ),
  // or any run at all where fresh is asked for. replan: stages may have other lengths than before;
  // schedule.yaml is then written anew.
  enum class Mode { go_on, fresh, replan };
  RunFolder(const Path& folder, const plan::RunPlan& plan, Mode mode);

  Path log() const { return folder_ / "run.jsonl"; }
  Path stage_file(const std::string& stage) const;
  Path step_file(std::int64_t step) const;
  Path branch_file() const { return folder_ / "branch.h5"; }
  const Path& path() const { return folder_; }

  // Checkpoints to go on from, the furthest first, by their metadata alone. Those whose metadata is
  // bad are left out, with the reason in bad.
  std::vector<Path> candidates(std::vector<std::string>& bad) const;
  // Removes the oldest step files but `keep`.
  void prune(std::int64_t keep) const;

 private:
  Path folder_;
  std::optional<FolderLock> lock_;
};

}  // namespace stagedtrain::train
