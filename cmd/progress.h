// How far a long command has come: one line on a terminal, rewritten; a line every 20 seconds in a
// log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace stagedtrain::cmd {

class ByteProgress {
 public:
  // Prints "encoded 1.2 GB of 4 GB (30%), 45 MB/s, 62 s left", at most five times a second, and
  // nothing in the first second. what begins a new count when it changes.
  void tell(const char* what, std::uint64_t done, std::uint64_t total);
  // Removes the line from the terminal, before anything else is printed.
  void clear();
  ~ByteProgress() { clear(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  Clock::time_point begun_, shown_ = Clock::now();
  bool on_screen_ = false;
};

}  // namespace stagedtrain::cmd
