// Which way of making a growth is best? Short runs try each one and are ranked by their losses some
// steps later, which predict more than the loss right after the growth (LAG, arXiv 2406.02469).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// One way to grow the first stage of a schedule into its second.
struct TrialRun {
  std::string name;    // names its files: "depth" or "depth-new_layers-copied"
  std::string growth;  // every option, as YAML in one line
  schedule::Schedule schedule;
};

// Returns every operator, and every choice of its options, that leads to the same larger model by
// another recipe. The most different ones come first: the schedule's own way, the other operators
// with their defaults, other choices of the own operator's options, then of the other operators'. A
// run consists of the first stage as planned and `steps` steps of the second, at a constant rate
// after the warm-up. Throws Error(usage) for a schedule of one stage.
std::vector<TrialRun> trial_runs(const RunPlan& plan, std::int64_t steps);

// Returns the FLOPs of all candidates; the first stage, which they share, counts once.
double trial_flops(const std::vector<TrialRun>& candidates);

// The files of trial runs: NAME.yaml for each candidate, and run.sh, which trains them. Candidates
// of two stages share the first one, which is trained once. `folder` is where the files will be
// written; `program` is the command that trains.
struct TrialFile {
  std::string name, text;
};
std::vector<TrialFile> trial_files(const std::vector<TrialRun>& candidates, const Path& folder,
                                   const std::string& program);

struct TrialResult {
  std::string name, growth;
  double loss_after = 0;              // loss of a batch right after the growth; NaN: not known
  std::optional<double> loss, error;  // validation loss after the steps, with its standard error
};
// Reads the results from the runs' logs, in the order of the candidates. Runs that have not ended
// have no loss. Throws Error(input) for a damaged log.
std::vector<TrialResult> trial_results(const std::vector<TrialRun>& candidates, const Path& folder);
// Sorts results: finished runs first, by rising loss.
std::vector<TrialResult> ranked(std::vector<TrialResult> results);

// Returns the schedule with this growth into the second stage; it may still contain auto.
schedule::Schedule with_growth(schedule::Schedule schedule, const Tree& grow);

std::string to_text(const std::vector<TrialResult>& ranking, std::int64_t steps);
Json to_json(const std::vector<TrialResult>& ranking);

}  // namespace stagedtrain::plan
