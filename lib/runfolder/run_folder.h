// Manages the folder of a run: what it contains, who may use it, and where the run can continue.
//
//  schedule.yaml            the resolved schedule; a run of another one is refused
//  run.jsonl                the log (docs/run-log.md)
//  checkpoints/step-N.h5    the checkpoints that checkpoint.keep keeps
//  stages/NAME.h5           the end of each stage; always kept
//  branch.h5                scratch runs only: the last state that a longer run shares
//  lock                     held while a run uses the folder
//
// Any other file in these folders is never read, moved or removed, except for *.tmp-* files of a
// process that was killed. Files that train sets aside get the suffix .damaged or .diverged.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "io/folder_lock.h"
#include "plan/run_plan.h"

namespace stagedtrain::train {

// A checkpoint of the folder, with its metadata only.
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
  // go_on: the schedule must be that of the run. fresh: the folder must not hold a run. replan:
  // stages that have not ended may have other lengths, and those that have not begun other keys.
  // extend: the run has ended, and its last stage becomes longer. attend: another process of the
  // same run owns the folder; nothing is compared, locked or changed.
  enum class Mode { go_on, fresh, replan, extend, attend };
  // Creates the folder, or opens the run in it, and locks it. With replan and extend it records the
  // new schedule at once. Throws Error(locked) if another process holds the lock. Throws
  // Error(usage) if the schedule differs in more keys than the mode allows (naming them), if fresh
  // finds a run, or if extend finds none.
  RunFolder(const Path& folder, const plan::RunPlan& plan, Mode mode);

  Path log() const { return folder_ / "run.jsonl"; }
  Path stage_file(const std::string& stage) const;
  Path step_file(std::int64_t step) const;
  Path branch_file() const { return folder_ / "branch.h5"; }
  const Path& path() const { return folder_; }
  // Messages about permitted differences from the recorded schedule, such as paths of data or
  // batch.micro.
  const std::vector<std::string>& notes() const { return notes_; }

  // Returns checkpoints to continue from, the furthest first. Adds those with bad metadata to
  // damaged.
  std::vector<Candidate> candidates(std::vector<Unusable>& damaged) const;
  // Records the plan's schedule if it differs from the recorded one.
  void record(const plan::RunPlan& plan) const;
  // Removes step files that are older than the `last` newest ones in good, which are files that
  // this process has written or read as a whole, unless is_kept holds for their step. Other files
  // do not count, and newer ones stay.
  void prune(std::int64_t last, const std::set<Path>& good,
             const std::function<bool(std::int64_t)>& is_kept) const;
  // Renames a file to end in .WHY (with a number if that name exists) and returns its new name.
  Path set_aside(const Path& file, const std::string& why) const;
  // Throws Error(locked) if the lock file was removed or replaced, so that another run may be
  // writing here. Cheap; to be called before every save.
  void check_lock() const {
    if (lock_) lock_->check();
  }

 private:
  void compare_schedule(const plan::RunPlan& plan, Mode mode, const std::string& yaml,
                        const std::string& before);
  Path folder_;
  std::vector<std::string> stages_;  // names of the plan's stages
  std::vector<std::string> notes_;
  std::optional<FolderLock> lock_;
};

}  // namespace stagedtrain::train
