// Declares the calls from the executable into the LibTorch module by which the processes of one run
// meet and end together.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "engine/engine.h"

namespace stagedtrain::train {

// How this process takes part in a run of several processes.
struct Joined {
  bool first = true;  // the first rank, or the only process, prints the results
  int ranks = 1;
  std::string how;  // "launched by srun: 2 ranks on ..."; empty for the only process
};

// The functions run, evaluate, sample and score_tasks of Engine are calls that all ranks make.
struct RanksInterface {
  // Joins the other ranks of this process's run, whose launcher describes it in the environment
  // (dist/place.h). Does nothing if there are none.
  Joined (*join)(const DeviceRequest&);
  // Calls f on the first rank, before it returns on any. If f throws an Error, all ranks throw it.
  void (*on_first_rank)(const std::function<void()>& f);
  // Ends the other ranks by this error. Returns the error to print: with this rank's number, unless
  // all ranks end by the same, and without a message if another rank prints it.
  Error (*ending)(const Error&);
};

}  // namespace stagedtrain::train

// Exported by the module beside stagedtrain_engine(), whose stamp covers both.
extern "C" const stagedtrain::train::RanksInterface* stagedtrain_ranks();
