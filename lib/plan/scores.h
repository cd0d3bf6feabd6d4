// How well earlier runs were foretold: predicted against measured loss, saving and time, kept in a
// file that later plans read. Predictions that missed their intervals make later intervals wider.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/measurements.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// One number as it was foretold and as it came out. NaN: not known.
struct ScoredNumber {
  double predicted = runlog::kUnknown, low = runlog::kUnknown, high = runlog::kUnknown;
  double widened = 1;  // the factor that the interval had already got
  double measured = runlog::kUnknown, error = runlog::kUnknown;  // with its standard error
  bool known() const;
  // How many standard deviations the measurement lies above the prediction: those of the interval as
  // the fit alone had it, and the measurement's own. NaN without an interval.
  double z() const;
};

struct ScoredRun {
  std::string run, time;         // the run's folder, when it was scored
  std::string law, assumption;   // that the prediction was made by
  ScoredNumber loss, saving, seconds;
};

// Intervals are made wider by the root mean square of z, never narrower: from this many runs on, and
// at most so many times.
inline constexpr std::size_t kFewestScores = 3;
inline constexpr double kMostWidening = 10;

class Scores {
 public:
  // Replaces what is known of the same run; a number that is not known replaces none. What can be no
  // loss, no saving or no time is not kept. Beyond 1,000 runs the oldest goes.
  void put(ScoredRun run);
  const std::vector<ScoredRun>& all() const { return all_; }  // oldest first
  double loss_widening() const;
  double saving_widening() const;

 private:
  std::vector<ScoredRun> all_;
};

// Of a finished run that was foretold; nothing for any other. saving: of FLOPs, measured against runs
// from scratch, with its standard error; nothing where it is not known.
struct MeasuredSaving {
  double value = runlog::kUnknown, error = runlog::kUnknown;
};
std::optional<ScoredRun> score_of(const runlog::Run& run,
                                  const std::optional<MeasuredSaving>& saving = {});

inline Path scores_file(const std::string& given) { return cache_file(given, "scores.json"); }
// As read_measurements and add_measurements.
Scores read_scores(const Path& path);
void add_scores(const Path& path, const std::vector<ScoredRun>& runs);

// The history as a table with what follows from it, and as JSON.
std::string to_text(const Scores& scores);
Json to_json(const Scores& scores);

}  // namespace stagedtrain::plan
