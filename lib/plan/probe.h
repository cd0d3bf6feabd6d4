// Short runs that try every way to make a growth, and their ranking: the loss right after a growth
// tells little, the loss some steps later a lot (LAG, arXiv 2406.02469).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// One way to grow the first stage of a schedule into its second.
struct ProbeCandidate {
  std::string name;    // of its files: "depth", "depth-copied"
  std::string growth;  // every option, as YAML in one line
  schedule::Schedule schedule;
};

// Every operator, and every choice among words of its options, that leads to the same larger model,
// the most different ones first: the schedule's own way, the other operators as they come, other
// words of the own operator's options, then of the others'. The runs are the first stage as
// planned, then `steps` of the second, at a constant rate. Throws Error(usage) for a schedule of
// one stage.
std::vector<ProbeCandidate> probe_candidates(const RunPlan& plan, std::int64_t steps);

// What a probe of these trains: FLOPs of all, the part that they share counted once.
double probe_flops(const std::vector<ProbeCandidate>& candidates);

// Files of a probe by name: NAME.yaml for each candidate, and run.sh, which trains what they share
// once. folder is where they will lie; program is the command that trains.
struct ProbeFile {
  std::string name, text;
};
std::vector<ProbeFile> probe_files(const std::vector<ProbeCandidate>& candidates,
                                   const Path& folder, const std::string& program);

struct ProbeResult {
  std::string name, growth;
  double loss_after = 0;              // right after the growth, on one batch; NaN: not known
  std::optional<double> loss, error;  // on the validation text, after the steps
};
// In the order of the candidates.
std::vector<ProbeResult> probe_results(const std::vector<ProbeCandidate>& candidates,
                                       const Path& folder);
// Finished ones first, by rising loss.
std::vector<ProbeResult> ranked(std::vector<ProbeResult> results);

// The schedule with the best candidate's growth; it may still say auto.
schedule::Schedule with_growth(schedule::Schedule schedule, const Tree& grow);

std::string to_text(const std::vector<ProbeResult>& ranking, std::int64_t steps);
Json to_json(const std::vector<ProbeResult>& ranking);

}  // namespace stagedtrain::plan
