// `stagedtrain plan --probe K SCHEDULE --out DIR`: writes short runs, then ranks them.
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::cmd {

struct ProbeArguments {
  std::int64_t steps = 0;  // after the growth; 0: no probe
  std::int64_t ways = 8;   // to grow that are tried, at most
  std::string folder;      // of the probe's files
  bool json = false, print_schedule = false;
};

// Writes what is not there yet; once all runs have ended, ranks them and plans with the best.
// Returns what is printed. Throws Error(usage) if the folder holds a probe of something else.
std::string probe_result(const ProbeArguments& arguments, const schedule::Schedule& schedule);

}  // namespace stagedtrain::cmd
