// What staged runs have taught about growing, kept in a file that later plans read: for each growth
// how much the larger model got to keep, how long it took to mix, and what the decay gained.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/measurements.h"

namespace stagedtrain::plan {

// One growth of one run. NaN: not known.
struct LearnedGrowth {
  std::string run, stage, time;  // the run's folder, the stage grown into
  std::string operators;         // as run.jsonl has them
  arch::ModelConfig from, to;
  double rho = 0, rho_low = 0, rho_high = 0;  // tokens before the growth / tokens that they counted
  double tokens_before = 0;  // where the smaller model stood on its own curve
  double mixing_tokens = 0;                   // until it met the run from scratch
  double decay_drop = 0;                      // nats: the decay's end against the curve before it
  std::vector<std::string> why = {};          // what is not known, and the reason; not kept
};

// What a growth can have done; a number outside of these is a slip of the measurement and is not
// kept: it would spoil every later plan. The drop is in nats.
inline constexpr double kLeastLearnedRho = 0.5, kMostLearnedRho = 10, kMostDrop = 1;
inline bool is_likely_rho(double rho) { return rho >= kLeastLearnedRho && rho <= kMostLearnedRho; }
inline bool is_likely_drop(double drop) { return drop > 0 && drop <= kMostDrop; }

class Learned {
 public:
  // The newest known rho (mixing time) of a growth by operators of the same names that multiplies
  // the FLOPs of a token by about the same factor (within a quarter); null if there is none.
  const LearnedGrowth* rho_of(const std::string& operators, const arch::ModelConfig& from,
                              const arch::ModelConfig& to) const;
  const LearnedGrowth* mixing_of(const std::string& operators, const arch::ModelConfig& from,
                                 const arch::ModelConfig& to) const;
  // Replaces what is known of the same run and stage; a number that is not known replaces none.
  void put(LearnedGrowth growth);
  const std::vector<LearnedGrowth>& all() const { return all_; }  // oldest first

 private:
  std::vector<LearnedGrowth> all_;
};

// "[{operator: depth, layers: 6}]" and "depth 6" alike -> the operators' names.
std::vector<std::string> operator_names(const std::string& operators);

inline Path learned_file(const std::string& given) { return cache_file(given, "learned.json"); }
// As read_measurements and add_measurements.
Learned read_learned(const Path& path);
void add_learned(const Path& path, const std::vector<LearnedGrowth>& growths);
Json to_json(const std::vector<LearnedGrowth>& growths);

}  // namespace stagedtrain::plan
