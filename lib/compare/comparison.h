// Which runs may be compared, and what does the comparison say? Each staged run against fully
// decayed runs of the same model from scratch.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "compare/free_size.h"
#include "compare/savings.h"
#include "runlog/run_log.h"

namespace stagedtrain::report {

using runlog::Evaluation, runlog::LoggedGrowth, runlog::kUnknown, runlog::Place, runlog::Run,
    runlog::read_runs, runlog::RunEnd;
using runlog::LoggedStage, runlog::StepPoint;

enum class CostKind { flops, tokens, seconds };
inline constexpr std::array kCostKinds{CostKind::flops, CostKind::tokens, CostKind::seconds};

double cost(const Place& at, CostKind kind);
const char* cost_name(CostKind kind);  // "FLOPs", "tokens", "wall-clock time"
const char* cost_key(CostKind kind);   // the keys of --json: "flops", "tokens", "seconds"
DecayedEnd decayed_end(const Run& run, CostKind kind);  // requires run.end
std::vector<DecayedEnd> decayed_ends(const std::vector<Run>& runs,
                                     const std::vector<std::size_t>& indices, CostKind kind);

// saving->low, saving->high and those of gap are indices into Report::runs.
struct CostResult {
  CostKind kind;
  std::optional<Saving> saving;
  std::optional<LossGap> gap;
  std::string reason;   // why there is no saving; empty if there is one
  bool paired = false;  // the errors come from differences within a seed (compare/paired.h)
};

// The comparison of one staged run. All indices are into Report::runs.
struct Comparison {
  std::size_t staged;
  std::vector<std::size_t> ends;  // decayed scratch runs, by ascending FLOPs
  // Those of `ends` that are set aside: another run cost no more FLOPs and reached no higher loss.
  std::vector<std::size_t> dominated;
  std::array<CostResult, 3> results;
  std::optional<FreeSize> free_size;  // against the best of several model sizes
  std::vector<std::string> notes;     // what else a reader must know, one sentence each
  const CostResult& operator[](CostKind m) const { return results[static_cast<std::size_t>(m)]; }
};

struct Report {
  std::vector<Run> runs;  // with labels; runs of several seeds are replaced by their mean
  std::vector<Comparison> comparisons;  // one for each staged run, in the order given
  std::vector<std::string> problems;    // what could not be read, one sentence each
};

// Compares every staged run with the scratch runs that differ from it in nothing that matters
// (compare/fairness.h). If two or more of them have the staged run's seeds, it uses only those.
// `seeds` says whether runs that differ only in their seed are averaged (compare/seeds.h).
enum class Seeds { averaged, apart };
Report make_report(std::vector<Run> runs, Seeds seeds = Seeds::averaged);

// Returns the saving of FLOPs of a run, an index into Report::runs; null if it was not measured.
const Saving* measured_saving(const Report& report, std::size_t run);

}  // namespace stagedtrain::report
