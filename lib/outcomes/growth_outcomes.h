// What have earlier staged runs shown about growing? A file that later plans read stores, for each
// growth, rho, the mixing time and the gain of the decay (outcomes_from_logs.h measures them).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cost/measurements.h"

namespace stagedtrain::plan {

// The outcome of one growth of one run. Numbers that are not known are NaN.
struct GrowthOutcome {
  std::string run, stage, time;  // the run's folder, the stage grown into, when it was stored (UTC)
  std::string operators;         // in the form of run.jsonl
  arch::ModelConfig from, to;
  double rho = 0, rho_low = 0, rho_high = 0;  // with its 80% interval
  double tokens_before = 0;                   // the smaller model's position on its own curve
  double mixing_tokens = 0;                   // until it caught up with the run from scratch
  double decay_drop = 0;                      // what the decay gained, in nats
  std::vector<std::string> why = {};          // reasons for unknown numbers; not in the file
};

// The plausible range of rho and of the gain of a decay, in nats. A number outside is an error of
// the measurement and is not stored, as it would spoil every later plan.
inline constexpr double kLeastOutcomeRho = 0.5, kMostOutcomeRho = 10, kMostDrop = 1;
inline bool is_likely_rho(double rho) { return rho >= kLeastOutcomeRho && rho <= kMostOutcomeRho; }
inline bool is_likely_drop(double drop) { return drop > 0 && drop <= kMostDrop; }

// The stored outcomes. Pointers into it are valid until the next put().
class GrowthOutcomes {
 public:
  // Returns the newest entry with a known rho (mixing time) of a growth by operators of the same
  // names that multiplies the FLOPs of a token by the same factor within a quarter; null if there
  // is none.
  const GrowthOutcome* rho_of(const std::string& operators, const arch::ModelConfig& from,
                              const arch::ModelConfig& to) const;
  const GrowthOutcome* mixing_of(const std::string& operators, const arch::ModelConfig& from,
                                 const arch::ModelConfig& to) const;
  // Adds a growth, or replaces that of the same run and stage, of which it keeps the numbers that
  // are not known now. Implausible numbers become NaN.
  void put(GrowthOutcome growth);
  const std::vector<GrowthOutcome>& all() const { return all_; }  // oldest first

 private:
  std::vector<GrowthOutcome> all_;
};

// Returns the names of the operators in a text such as "[{operator: depth, layers: 6}]" or "depth
// 6".
std::vector<std::string> operator_names(const std::string& operators);

inline Path outcomes_file(const std::string& given) { return cache_file(given, "growths.json"); }
// Like read_measurements and add_measurements, but add_outcomes does nothing for an empty path.
GrowthOutcomes read_outcomes(const Path& path);
void add_outcomes(const Path& path, const std::vector<GrowthOutcome>& growths);
Json to_json(const std::vector<GrowthOutcome>& growths);

}  // namespace stagedtrain::plan
