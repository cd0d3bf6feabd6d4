// What does a run that continues another run's checkpoint look like, joined with that run's log?
#pragma once

#include "runlog/run_log.h"

namespace stagedtrain::runlog {

// Returns the same runs in the same order. A run that started from another run's checkpoint (such
// as a longer scratch run that shares the stable phase of a shorter one) gets the other's steps,
// evaluations and growths up to that checkpoint. The other run must have the same final model, seed
// and training data. It is looked up among `runs`, beside the run, and in the folder that the log
// names. A run whose parent is not found stays as it is.
std::vector<Run> joined(std::vector<Run> runs);

}  // namespace stagedtrain::runlog
