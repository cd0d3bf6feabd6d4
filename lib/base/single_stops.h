// Stopping one of several processes by itself: for work that has nothing to save.
#pragma once

namespace stagedtrain {

// While one lives, stop_point() (signals.h) throws although stops are agreed (agreed_stops.h), so a
// process that receives a signal ends at its own next stop_point().
class StopsAreSingle {
 public:
  StopsAreSingle();
  ~StopsAreSingle();
  StopsAreSingle(const StopsAreSingle&) = delete;
  StopsAreSingle& operator=(const StopsAreSingle&) = delete;
};

}  // namespace stagedtrain
