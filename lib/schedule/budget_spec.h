// Declares the keys of a schedule for a run that has to end, decayed, after a given time.
#pragma once

#include "text/fields.h"

namespace stagedtrain::schedule {

struct BudgetSpec {
  Duration time{0, DurationUnit::seconds};
  template <class V>
  void fields(V& v) {
    v("time", time,
      {.doc = "time of training steps of all stages together (3h, 90m), without evaluations and "
              "saving; the last stage ends, decayed, at this time, or earlier at its length",
       .required = true,
       .shape = "time"});
  }
};

}  // namespace stagedtrain::schedule
