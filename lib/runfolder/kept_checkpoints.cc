// Tracks which checkpoints still wait for the next step to confirm them.
#include "runfolder/kept_checkpoints.h"

namespace stagedtrain::train {

void KeptCheckpoints::went_on_from(const Path& file) {
  good_.insert(file);
  last_good_ = file;
}

void KeptCheckpoints::saved(const SavedCheckpoint& checkpoint) { waiting_.push_back(checkpoint); }

void KeptCheckpoints::came_to(std::int64_t step) {
  const std::size_t before = waiting_.size();
  std::erase_if(waiting_, [&](const SavedCheckpoint& one) {
    if (one.progress.step >= step) return false;
    went_on_from(one.file);
    return true;
  });
  if (waiting_.size() != before) folder_.prune(keep_, good_);
}

std::vector<Path> KeptCheckpoints::set_aside_diverged() {
  std::vector<Path> aside;
  for (const SavedCheckpoint& one : waiting_)
    aside.push_back(folder_.set_aside(one.file, "diverged"));
  waiting_.clear();
  return aside;
}

}  // namespace stagedtrain::train
