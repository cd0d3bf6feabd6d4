// Finds the run in which a branch began and prepends what it logged. Where both logged a step, the
// branch's own line wins.
#include "runlog/branches.h"

#include <algorithm>

namespace stagedtrain::runlog {
namespace {

constexpr int kMostBranches = 32;  // length of a chain of branches

// Returns whether two runs could share their first steps.
bool is_kin(const Run& run, const Run& other) {
  return other.final_model == run.final_model && other.seed == run.seed &&
         other.train_fingerprint == run.train_fingerprint;
}

// Returns whether `run` could have branched off a step that `other` logged.
bool reaches(const Run& run, const Run& other) {
  return is_kin(run, other) && !other.steps.empty() && other.branch_step < run.branch_step &&
         other.steps.back().at.step >= run.branch_step;
}

// Returns the log in a folder if it can be read and `run` could have branched off it.
std::optional<Run> read_if_kin(const Run& run, const Path& folder) {
  const Path log = folder / "run.jsonl";
  std::error_code none;
  if (folder.empty() || !std::filesystem::is_regular_file(log, none)) return {};
  try {
    BadLines bad;
    Run other = read_log(log, folder.string(), &bad);
    if (reaches(run, other)) return other;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
  }
  return {};
}

std::optional<Run> parent_of(const Run& run, const std::vector<Run>& runs) {
  const Path from = Path(run.branch_file).parent_path();
  const Run* found = nullptr;
  for (const Run& other : runs) {
    if (other.name == run.name || !reaches(run, other)) continue;
    const bool named = other.folder.filename() == from.filename();
    if (!found || named) found = &other;
    if (named) break;
  }
  if (found) return *found;
  for (const Path& folder : {run.folder.parent_path() / from.filename(), from})
    if (auto other = read_if_kin(run, folder)) return other;
  return {};
}

template <class T>
void prepend(const std::vector<T>& before, double until, std::vector<T>& points) {
  std::vector<T> all;
  for (const T& point : before)
    if (point.at.step <= until && (points.empty() || point.at.step < points.front().at.step))
      all.push_back(point);
  points.insert(points.begin(), all.begin(), all.end());
}

Run joined_run(Run run, const std::vector<Run>& runs, int left) {
  if (!(run.branch_step > 0) || left == 0) return run;
  std::optional<Run> parent = parent_of(run, runs);
  if (!parent) return run;
  const Run before = joined_run(std::move(*parent), runs, left - 1);
  prepend(before.steps, run.branch_step, run.steps);
  prepend(before.evaluations, run.branch_step, run.evaluations);
  prepend(before.generated, run.branch_step, run.generated);
  prepend(before.growths, run.branch_step, run.growths);
  prepend(before.fits, run.branch_step, run.fits);
  prepend(before.selections, run.branch_step, run.selections);
  return run;
}

}  // namespace

std::vector<Run> joined(std::vector<Run> runs) {
  std::vector<Run> all;
  for (const Run& run : runs) all.push_back(joined_run(run, runs, kMostBranches));
  return all;
}

}  // namespace stagedtrain::runlog
