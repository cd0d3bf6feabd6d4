// The planner's prediction of a run before its first step, which the run's log stores.
#pragma once

#include <limits>
#include <string>

#include "runlog/json_reader.h"

namespace stagedtrain::runlog {

// A number with its 80% interval; NaN: unknown. `widened` is the factor by which the interval was
// widened because earlier predictions had missed theirs.
struct PredictedNumber {
  double value = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  double widened = 1;
};

struct Prediction {
  std::string law, assumption;  // with which the numbers were computed
  // Final validation loss, nats per token; share of the FLOPs of a run from scratch to the same
  // loss that is saved; seconds spent in training steps.
  PredictedNumber loss, saving, seconds;
  // Why loss and saving are unknown; "" if they are known.
  std::string why_not = "its log holds no prediction: an older version wrote it";
  bool made() const { return why_not.empty(); }
};

// The value of the key `prediction` of a start event. An empty object gives an unmade prediction.
Json to_json(const Prediction& prediction);
Prediction read_prediction(const JsonReader& json);

}  // namespace stagedtrain::runlog
