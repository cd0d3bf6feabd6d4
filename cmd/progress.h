// How is the progress of a long command printed? On a terminal as one line that is rewritten, in a
// log as one line every 20 seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "io/terminal.h"

namespace stagedtrain::cmd {

class ByteProgress {
 public:
  // Prints, for instance, "encoded 1.2 GB of 4 GB (30%), 45 MB/s, 62 s left". On a terminal, at
  // most five times a second and not in the first second. A new `what` restarts the count.
  void update(const char* what, std::uint64_t done, std::uint64_t total);
  // Removes the line from the terminal. Call it before printing anything else.
  void clear() { line_.clear(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  Clock::time_point begun_, shown_ = Clock::now();
  RewrittenLine line_;
};

}  // namespace stagedtrain::cmd
