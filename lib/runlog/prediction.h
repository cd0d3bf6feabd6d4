// What the planner foretold of a run before its first step, kept in its log.
#pragma once

#include <limits>
#include <string>

#include "runlog/json_reader.h"

namespace stagedtrain::runlog {

// A number with its 80% interval; NaN where it is not known. The interval was made wider by this
// factor, as earlier predictions had missed theirs.
struct Foretold {
  double value = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  double widened = 1;
};

struct Prediction {
  std::string law, assumption;  // of which the numbers are
  // The validation loss at the end, nats per token; the part of the FLOPs from scratch to that loss
  // that is saved; the seconds of training steps.
  Foretold loss, saving, seconds;
  // Why there is no loss and no saving; "" where there are.
  std::string why_not = "its log holds no prediction: an older version wrote it";
  bool made() const { return why_not.empty(); }
};

// As the key `prediction` of a start event has it, and back; nothing is known of an empty object.
Json to_json(const Prediction& prediction);
Prediction read_prediction(const JsonReader& json);

}  // namespace stagedtrain::runlog
