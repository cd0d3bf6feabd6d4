// Runs that went on from a checkpoint of another one, joined to what that one logged before.
#pragma once

#include "runlog/run_log.h"

namespace stagedtrain::runlog {

// The same runs in the same order. A run that began at another's checkpoint (a longer budget from
// scratch, that shares the stable part of a shorter one) gets the other's steps, evaluations and
// growths up to there. The other has the same final model, seed and data; it is one of those given,
// or lies beside the run, or where the log says that the checkpoint was. Where it is not found the
// run stays as it is.
std::vector<Run> joined(std::vector<Run> runs);

}  // namespace stagedtrain::runlog
