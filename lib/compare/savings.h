// The arithmetic of a fair comparison: what the same loss costs from scratch, and how far apart the
// losses are at the same cost, with their errors. Pure functions on decayed ends.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace stagedtrain::report {

// A fully decayed end: its cost (FLOPs, tokens or seconds; > 0), its loss (nats per token), and the
// standard error of that loss (NaN where unknown).
struct DecayedEnd {
  double cost, loss, se;
};

// Where a value lies among the ends it was interpolated from.
enum class Reach {
  inside,        // between two ends
  extrapolated,  // outside them, at most kExtrapolation beyond the nearest in cost
  beyond,        // farther: no value is given
};
// A factor of cost; beyond it a straight line in log cost says nothing.
inline constexpr double kExtrapolation = 1.25;

// The ends by rising cost, without those that another end beats at no greater cost: losses fall
// strictly. Indices into ends.
std::vector<std::size_t> frontier(const std::vector<DecayedEnd>& ends);

// Saving = 1 - cost_staged / cost_scratch(same loss). The loss is taken as linear in log cost
// between two neighbouring ends. se is the first-order standard error from the three losses' errors
// taken as independent. An error that all three share cancels exactly, so se is an upper bound when
// all were scored on the same text.
struct Saving {
  Reach reach = Reach::beyond;
  double value, se;                         // NaN when beyond
  double scratch_cost;                      // cost_scratch(same loss); NaN when beyond
  std::optional<double> at_least, at_most;  // what holds without extrapolation, outside the ends
  std::size_t low, high;                    // the ends interpolated between: indices into ends
};
// Nothing when fewer than two ends are left on the frontier.
std::optional<Saving> saving(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends);

// Loss of scratch at the staged run's cost minus the staged run's loss: positive is better.
struct LossGap {
  Reach reach = Reach::beyond;
  double value, se, scratch_loss;  // NaN when beyond
  std::size_t low, high;
};
std::optional<LossGap> loss_gap(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends);

}  // namespace stagedtrain::report
