// How does `stagedtrain plan --trial-steps K SCHEDULE --out DIR` write trial runs and rank them?
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::cmd {

struct TrialArguments {
  std::int64_t steps = 0;  // steps after the growth; 0: no trial runs
  std::int64_t ways = 8;   // most ways to grow that are tried
  std::int64_t train_last = 0;  // learning rates are tried on the last layers; 0: growths are
  std::string folder;      // folder of their files
  bool json = false, print_schedule = false;
};

// Writes the files that do not exist yet. Once all runs have ended, ranks them and plans with the
// best. Returns what is printed. Throws Error(usage) if the folder holds other trial runs.
std::string trial_result(const TrialArguments& arguments, const schedule::Schedule& schedule);

}  // namespace stagedtrain::cmd
