// What is assumed about the state after a growth: every saving is a saving under one of these.
#pragma once

namespace stagedtrain::law {

// Let the grown model go on as if it had seen D/rho tokens of its own curve, D being what the
// smaller one saw.
enum class Assumption {
  loss_state,  // it stands where its own curve has the same loss: rho > 1, the floor of savings
  mixing,      // it soon stands where it would from scratch: rho = 1, the ceiling
  measured,    // rho was measured, on this operator and at about this time
};

// "floor (loss-state)", "ceiling (mixing)", "measured".
constexpr const char* assumption_name(Assumption assumption) {
  constexpr const char* kNames[] = {"floor (loss-state)", "ceiling (mixing)", "measured"};
  return kNames[static_cast<int>(assumption)];
}

}  // namespace stagedtrain::law
