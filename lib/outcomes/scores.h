// Scores of earlier runs: predicted against measured loss, saving and time, stored in a file that
// later plans read. If predictions missed their intervals, later intervals are widened.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cost/measurements.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// A number as predicted and as measured. NaN: unknown.
struct ScoredNumber {
  double predicted = runlog::kUnknown, low = runlog::kUnknown, high = runlog::kUnknown;
  double widened = 1;  // the factor by which this interval had been widened
  double measured = runlog::kUnknown, error = runlog::kUnknown;  // with its standard error
  bool known() const;
  bool ranged() const { return known() && high > low; }
  // Whether the measurement lies in the interval that was printed before the run, widened as it
  // was then.
  bool inside() const { return ranged() && measured >= low && measured <= high; }
  // (measured - predicted) in standard deviations: the interval's before it was widened, and the
  // measurement's own standard error, added in squares. NaN without an interval.
  double z() const;
};

struct ScoredRun {
  std::string run, time;        // the run's folder; when it was scored
  std::string law, assumption;  // with which the prediction was made
  ScoredNumber loss, saving, seconds;
};

// Intervals are multiplied by the root mean square of z, clamped to [1, kMostWidening], once there
// are kFewestScores predictions with an interval.
inline constexpr std::size_t kFewestScores = 3;
inline constexpr double kMostWidening = 10;

class Scores {
 public:
  // Replaces the score of the same run, except by unknown numbers. Numbers that cannot be a loss, a
  // saving or a time are dropped. At most 1,000 runs are stored; the oldest is removed first.
  void put(ScoredRun run);
  const std::vector<ScoredRun>& all() const { return all_; }  // oldest first
  double loss_widening() const;
  double saving_widening() const;

 private:
  std::vector<ScoredRun> all_;
};

// The saving of FLOPs against runs from scratch, with its standard error.
struct MeasuredSaving {
  double value = runlog::kUnknown, error = runlog::kUnknown;
};
// Returns the score of a finished run that has a prediction; nothing for any other run.
std::optional<ScoredRun> score_of(const runlog::Run& run,
                                  const std::optional<MeasuredSaving>& saving = {});

inline Path scores_file(const std::string& given) { return cache_file(given, "scores.json"); }
// Like read_measurements and add_measurements.
Scores read_scores(const Path& path);
void add_scores(const Path& path, const std::vector<ScoredRun>& runs);

// The stored scores as a table, with the widening that follows from them; and as JSON.
std::string to_text(const Scores& scores);
Json to_json(const Scores& scores);

}  // namespace stagedtrain::plan
