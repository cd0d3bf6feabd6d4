// How are a run's ranks started on this machine? This command is run once more for each of them.
#pragma once

#include <optional>
#include <string>

namespace stagedtrain::cmd {

struct LaunchOptions {
  std::string processes;          // a number, or "gpus": one per GPU; empty: this process only
  int restarts = 0;               // how often a run that lost a rank is restarted
  std::string sharding = "none";  // "none", "optimizer" or "full"
  double join_timeout = 60;       // seconds that ranks wait for each other at the start
  double lost_after = 30;         // seconds without a sign of life until a rank counts as lost
};

// Writes the last three options to environment variables, from which the module reads them, as it
// reads everything about how ranks find and watch each other (dist/place.h).
void export_rank_options(const LaunchOptions& options);

// Returns the number of threads that OMP_NUM_THREADS asks for, if it is a number.
std::optional<int> threads_asked();

// Returns whether launch() started this process.
bool is_launched();
// Runs this process's command line in several processes, which find their ranks in the environment
// (dist/place.h), and waits for them. They share this process's threads. Signals that ask for a
// stop are passed on. A rank that is still running some time after another was lost is killed.
// Throws Error with the run's exit code; its message is empty if a rank has already printed one.
void launch(const LaunchOptions& options);

}  // namespace stagedtrain::cmd
