// What does a plan assume about the state of a grown model? Every saving holds only under one of
// these assumptions (docs/planning.md, "One question").
#pragma once

namespace stagedtrain::scaling {

// The smaller model has seen D tokens. The grown model is assumed to continue as if it had seen
// D/rho tokens of its own curve from scratch.
enum class Assumption {
  loss_state,  // it continues where its own curve has the same loss: rho > 1, the floor of savings
  mixing,      // it soon catches up with a run from scratch: rho = 1, the ceiling of savings
  measured,    // rho was measured, for this operator and for a growth at about this time
};

// Returns "floor (loss-state)", "ceiling (mixing)" or "measured".
constexpr const char* assumption_name(Assumption assumption) {
  constexpr const char* kNames[] = {"floor (loss-state)", "ceiling (mixing)", "measured"};
  return kNames[static_cast<int>(assumption)];
}

}  // namespace stagedtrain::scaling
