// How do the events of a log become the run that they record?
#pragma once

#include <optional>

#include "runlog/json_reader.h"
#include "runlog/run_log.h"

namespace stagedtrain::runlog {

// Takes a log's events in their order. What a start event says waits until a step shows that its
// process trained: `train` on a finished run writes a start event too, perhaps with other threads.
class LogReader {
 public:
  // Fills run, which outlives the reader.
  explicit LogReader(Run& run) : run_(run) {}
  // Throws Error(input) with the event's place where a key has the wrong type.
  void add(const JsonReader& event);

 private:
  void take_facts();
  Run& run_;
  std::optional<RunFacts> waiting_;
  double begun_ = 0;      // step at which the present process began
  bool trained_ = false;  // an earlier process took steps
};

}  // namespace stagedtrain::runlog
