// How `stagedtrain plan --probe K SCHEDULE --out DIR` writes short trial runs and ranks them.
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::cmd {

struct ProbeArguments {
  std::int64_t steps = 0;  // steps after the growth; 0: no probe
  std::int64_t ways = 8;   // most ways to grow that are tried
  std::int64_t train_last = 0;  // learning rates are tried on the last layers; 0: growths are
  std::string folder;      // folder of the probe's files
  bool json = false, print_schedule = false;
};

// Writes the files that do not exist yet. Once all runs have ended, ranks them and plans with the
// best. Returns what is printed. Throws Error(usage) if the folder holds another probe.
std::string probe_result(const ProbeArguments& arguments, const schedule::Schedule& schedule);

}  // namespace stagedtrain::cmd
