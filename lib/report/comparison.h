// Which runs may be compared, and what the comparison says: a staged run against the decayed ends
// of the same model trained from scratch.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "report/free_size.h"
#include "report/savings.h"
#include "runlog/run_log.h"

namespace stagedtrain::report {

using runlog::Evaluation, runlog::Growth, runlog::kUnknown, runlog::Place, runlog::Run,
    runlog::read_runs, runlog::RunEnd;
using runlog::Stage, runlog::StepPoint;

enum class Measure { flops, tokens, seconds };
inline constexpr std::array kMeasures{Measure::flops, Measure::tokens, Measure::seconds};

double cost(const Place& at, Measure measure);
const char* measure_name(Measure measure);  // "FLOPs", "tokens", "wall-clock time"
const char* measure_key(Measure measure);   // "flops", "tokens", "seconds": the keys of --json
DecayedEnd decayed_end(const Run& run, Measure measure);  // requires run.end
std::vector<DecayedEnd> decayed_ends(const std::vector<Run>& runs,
                                     const std::vector<std::size_t>& indices, Measure measure);

// low and high of the results are indices into Report::runs.
struct MeasureResult {
  Measure measure;
  std::optional<Saving> saving;
  std::optional<LossGap> gap;
  std::string reason;   // why there is no saving; empty when there is one
  bool paired = false;  // the errors are those of differences within a seed (report/paired.h)
};

// One staged run. Its frontier and dominated scratch ends (in FLOPs) are indices into Report::runs.
struct Comparison {
  std::size_t staged;
  std::vector<std::size_t> ends;       // decayed scratch ends compared with, by rising FLOPs
  std::vector<std::size_t> dominated;  // of these, those set aside: another costs less, loses less
  std::array<MeasureResult, 3> results;
  std::optional<FreeSize> free_size;  // against the best of several sizes
  std::vector<std::string> notes;  // what else a reader must know, a sentence each
  const MeasureResult& operator[](Measure m) const { return results[static_cast<std::size_t>(m)]; }
};

struct Report {
  std::vector<Run> runs;                // with labels; runs of several seeds as their mean
  std::vector<Comparison> comparisons;  // one for each staged run, in the order given
  std::vector<std::string> problems;    // what could not be read, a sentence each
};

// Compares every staged run with the scratch runs that differ from it in nothing that matters
// (report/fairness.h); of those with its own seeds where two or more of these have them. Seeds are
// averaged (report/seeds.h), or kept apart.
enum class Seeds { averaged, apart };
Report make_report(std::vector<Run> runs, Seeds seeds = Seeds::averaged);

}  // namespace stagedtrain::report
