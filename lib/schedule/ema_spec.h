// Declares the keys of a schedule for the exponential moving average of the weights.
#pragma once

#include <cstdint>

#include "text/fields.h"

namespace stagedtrain::schedule {

struct EmaSpec {
  double decay = 0.999;
  std::int64_t every = 1;
  template <class V>
  void fields(V& v) {
    v("decay", decay,
      {.doc =
           "share of the average that an update keeps; the rest, 1 - decay, comes from the weights",
       .min = 0,
       .max = 1,
       .below_max = true});
    v("every", every, {.doc = "steps of the run between updates", .min = 1, .max = 1e6});
  }
};

}  // namespace stagedtrain::schedule
