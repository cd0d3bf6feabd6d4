// Starting this command once more for each rank of a run, on this machine.
#pragma once

#include <string>

namespace stagedtrain::cmd {

struct LaunchOptions {
  std::string processes;  // a number, or "gpus": one for each GPU; empty: this process alone
  int restarts = 0;       // how often a run that lost a rank is started again
  std::string sharding = "none";  // or "optimizer"
  double join_timeout = 60;       // seconds that ranks wait for each other at the start
  double lost_after = 30;         // seconds without a sign of life after which a rank is lost
};

// Puts the last three where the module reads them, with all else that says how ranks find and watch
// each other (dist/place.h): the environment.
void tell_ranks(const LaunchOptions& options);

// Whether this process is one that launch() started.
bool is_launched();
// Runs the command line of this process in so many processes, which find their place in the
// environment (dist/place.h), with the threads of this one shared out, and waits for them. Signals
// that ask to stop are passed on; a rank that is left over after others were lost is killed. Throws
// Error with the exit code of the run, and without a message where a rank has told it.
void launch(const LaunchOptions& options);

}  // namespace stagedtrain::cmd
