// What does the same loss cost from scratch, and how far apart are the losses at the same cost?
// Pure functions on decayed ends, with standard errors.
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
// The largest factor of cost by which a value may lie outside the ends. Farther out, a straight
// line in log cost says nothing.
inline constexpr double kExtrapolation = 1.25;

// Returns the ends by rising cost, as indices into `ends`, without those that another end beats at
// no greater cost. So losses fall strictly.
std::vector<std::size_t> frontier(const std::vector<DecayedEnd>& ends);

// Saving = 1 - cost_staged / cost_scratch(same loss). The loss is interpolated linearly in log cost
// between two neighbouring ends. se is the first-order standard error, which treats the errors of
// the three losses as independent. An error that all three share cancels exactly, so se is an upper
// bound if all were evaluated on the same text.
struct Saving {
  Reach reach = Reach::beyond;
  double value, se;                         // NaN when beyond
  double scratch_cost;                      // cost_scratch(same loss); NaN when beyond
  std::optional<double> at_least, at_most;  // what holds without extrapolation, outside the ends
  std::size_t low, high;                    // the ends interpolated between: indices into ends
};
// Returns nothing if the frontier has fewer than two ends.
std::optional<Saving> saving(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends);

// The loss of scratch at the staged run's cost minus the staged run's loss. If it is positive, the
// staged run is better.
struct LossGap {
  Reach reach = Reach::beyond;
  double value, se, scratch_loss;  // NaN when beyond
  std::size_t low, high;
};
std::optional<LossGap> loss_gap(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends);

}  // namespace stagedtrain::report
