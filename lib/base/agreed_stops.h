// Stopping several processes at the same place: signals that wait for an agreement.
#pragma once

namespace stagedtrain {

// While one lives, stop_point() (signals.h) does not throw, and a first signal ends nothing by
// itself: stop_requested() tells of it, and who asks sees to it that all processes of the run stop
// at the same step. A second signal ends the process as ever.
class StopsAreAgreed {
 public:
  StopsAreAgreed();
  ~StopsAreAgreed();
  StopsAreAgreed(const StopsAreAgreed&) = delete;
  StopsAreAgreed& operator=(const StopsAreAgreed&) = delete;
};

// "stopped by SIGTERM", "interrupted": what a person is told of a signal that asks to stop.
const char* stop_words(int signal);

}  // namespace stagedtrain
