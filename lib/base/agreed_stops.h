// Stopping several processes at the same place: signals that wait for an agreement.
#pragma once

namespace stagedtrain {

// While one exists, stop_point() (signals.h) does not throw, and a first signal ends nothing by
// itself: stop_requested() reports it, and the caller makes all processes of the run stop at the
// same step. A second signal still ends the process at once.
class StopsAreAgreed {
 public:
  StopsAreAgreed();
  ~StopsAreAgreed();
  StopsAreAgreed(const StopsAreAgreed&) = delete;
  StopsAreAgreed& operator=(const StopsAreAgreed&) = delete;
};

// Returns what a message says about a signal that asks to stop: "stopped by SIGTERM",
// "interrupted".
const char* stop_words(int signal);

}  // namespace stagedtrain
