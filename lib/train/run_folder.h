// The folder of a run: what is in it, who may use it, and where to go on.
//
//   schedule.yaml            the resolved schedule; a run of another one is refused
//   run.jsonl                the log (docs/run-log.md)
//   checkpoints/step-N.h5    saved on the way, the newest few
//   stages/NAME.h5           the end of each stage, kept
//   branch.h5                of a scratch run: the last state that a longer run shares
//   lock                     held while a run uses the folder
//
// Any other file in these folders is somebody else's and is never read, moved or removed, except
// *.tmp-* of a process that was killed. Files that train sets aside get an ending: .damaged,
// .diverged.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/folder_lock.h"
#include "plan/run_plan.h"
#include "state/checkpoint.h"

namespace stagedtrain::train {

// A checkpoint of the folder by its metadata alone.
struct Candidate {
  Path file;
  state::StateHeader header;
};
// A file that cannot be used, and why.
struct Unusable {
  Path file;
  std::string why;
};

class RunFolder {
 public:
  // go_on: the schedule must be the run's. fresh: there must be no run yet. replan: stages that
  // have not ended may have other lengths, and those that have not begun other keys. extend: the
  // run has ended, and its last stage is to be longer. look: another process of the same run has the
  // folder; nothing in it is compared, locked or changed.
  enum class Mode { go_on, fresh, replan, extend, look };
  // Makes the folder or takes up the run in it, and locks it; with replan and extend the new
  // schedule is recorded at once. Throws Error(locked) if another process has it, Error(usage) if
  // the schedule differs in more than the mode allows (naming the keys), or if the folder holds any
  // run at all where a fresh one is asked for.
  RunFolder(const Path& folder, const plan::RunPlan& plan, Mode mode);

  Path log() const { return folder_ / "run.jsonl"; }
  Path stage_file(const std::string& stage) const;
  Path step_file(std::int64_t step) const;
  Path branch_file() const { return folder_ / "branch.h5"; }
  const Path& path() const { return folder_; }
  // What differs from the recorded schedule and may: where the data lies, batch.micro. Words.
  const std::vector<std::string>& notes() const { return notes_; }

  // Checkpoints to go on from, the furthest first. Those whose metadata is bad are in damaged.
  std::vector<Candidate> candidates(std::vector<Unusable>& damaged) const;
  // Records the schedule as it is now, if it differs from the recorded one.
  void record(const plan::RunPlan& plan) const;
  // Removes step files that are older than the `keep` newest of those in good: files that this
  // process has written or read whole. Others do not count, and newer ones stay.
  void prune(std::int64_t keep, const std::set<Path>& good) const;
  // Gives a file the ending .WHY (with a number if that is taken) and returns its new name.
  Path set_aside(const Path& file, const std::string& why) const;
  // Throws Error(locked) if the lock file is no longer the one that was locked: somebody removed
  // it, and another run may be writing here. Cheap; to be called before every save.
  void check_lock() const {
    if (lock_) lock_->check();
  }

 private:
  void compare_schedule(const plan::RunPlan& plan, Mode mode, const std::string& yaml,
                        const std::string& before);
  Path folder_;
  std::vector<std::string> stages_;  // their names
  std::vector<std::string> notes_;
  std::optional<FolderLock> lock_;
};

}  // namespace stagedtrain::train
