// Tracks which checkpoints still wait for the next step to confirm them, and which are the best.
#include "runfolder/kept_checkpoints.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::train {

void KeptCheckpoints::went_on_from(const Path& file) {
  good_.insert(file);
  last_good_ = file;
}

void KeptCheckpoints::saved(const SavedCheckpoint& checkpoint) { waiting_.push_back(checkpoint); }

void KeptCheckpoints::measured(const std::string& stage, std::int64_t step, double loss) {
  if (stage != stage_) losses_.clear();
  stage_ = stage;
  if (std::isfinite(loss)) losses_[step] = loss;
}

// Returns the steps of the best files. Of equal losses, the earlier step is better.
std::set<std::int64_t> KeptCheckpoints::best() const {
  std::vector<std::pair<double, std::int64_t>> ranked;
  std::error_code none;
  for (const auto& [step, loss] : losses_) {
    const Path file = folder_.step_file(step);
    if (std::ranges::find(waiting_, file, &SavedCheckpoint::file) == waiting_.end() &&
        std::filesystem::exists(file, none))
      ranked.emplace_back(loss, step);
  }
  std::ranges::sort(ranked);
  std::set<std::int64_t> steps;
  for (const auto& [loss, step] : ranked)
    if (static_cast<std::int64_t>(steps.size()) < keep_.best) steps.insert(step);
  return steps;
}

void KeptCheckpoints::came_to(std::int64_t step) {
  const std::size_t before = waiting_.size();
  std::erase_if(waiting_, [&](const SavedCheckpoint& one) {
    if (one.progress.step >= step) return false;
    went_on_from(one.file);
    return true;
  });
  if (waiting_.size() == before) return;
  const std::set<std::int64_t> best_steps = best();
  const auto every = static_cast<std::int64_t>(keep_.every.amount);
  folder_.prune(keep_.last, good_, [&](std::int64_t saved_step) {
    return best_steps.contains(saved_step) || (every > 0 && saved_step % every == 0);
  });
}

std::vector<Path> KeptCheckpoints::set_aside_diverged() {
  std::vector<Path> aside;
  for (const SavedCheckpoint& one : waiting_)
    aside.push_back(folder_.set_aside(one.file, "diverged"));
  waiting_.clear();
  return aside;
}

}  // namespace stagedtrain::train
