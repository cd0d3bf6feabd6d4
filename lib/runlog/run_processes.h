// What does a log record about the processes of its run: how many shared it, and how fast they
// saved?
#pragma once

#include <vector>

#include "io/file.h"

namespace stagedtrain::runlog {

// A checkpoint that was written, and the seconds that this took.
struct Save {
  double bytes = 0, seconds = 0;
};

struct RunProcesses {
  double most = 1;  // the largest number of processes that have shared the run, now or earlier
  std::vector<Save> saves;
};

// Reads past lines that are damaged or cut. Returns the defaults if there is no such file.
RunProcesses read_processes(const Path& log);

}  // namespace stagedtrain::runlog
